import { describe, expect, it } from 'vitest';
import { age, formatDate, formatDateTime, formatNumber, formatShare, formatTime, initials, isoDay, minutesSince, weekday } from '../shared/format';

describe('dates and times are the province’s', () => {
  it.each([
    ['2026-11-21T07:30:00Z', '21/11/2026', '14:30'],
    ['2026-11-20T18:05:00Z', '21/11/2026', '01:05'],
    ['2026-11-21T14:30:00+07:00', '21/11/2026', '14:30'],
    ['2026-11-21T00:00:00+07:00', '21/11/2026', '00:00'],
  ])('%s is %s %s', (at, date, time) => {
    expect(formatDate(at)).toBe(date);
    expect(formatTime(at)).toBe(time);
    expect(formatDateTime(at)).toBe(`${date} ${time}`);
  });
  it.each([['1956', '1956'], ['1956-03', '03/1956'], ['1956-03-09', '09/03/1956'], ['', ''], ['not a date', '']])('the FHIR date %j is written %j', (from, to) => {
    expect(formatDate(from)).toBe(to);
    expect(formatDateTime(from)).toBe(to);
  });
  it('knows the province’s day and weekday', () => {
    expect(isoDay(new Date('2026-11-21T17:30:00Z'))).toBe('2026-11-22');
    expect(weekday(new Date('2026-11-21T17:30:00Z'))).toBe(7);
    expect(weekday(new Date('2026-11-23T00:00:00Z'))).toBe(1);
  });
});

describe('numbers', () => {
  it.each([
    [1234.5, '1.234,5'], ['1.50', '1,50'], ['36.6', '36,6'], [1200000, '1.200.000'], [-3.2, '−3,2'], ['12 viên', '12 viên'], [999, '999'],
  ])('%j is %j', (from, to) => expect(formatNumber(from)).toBe(to));
  it('follows English', () => expect(formatNumber('1234567.50', 'en')).toBe('1,234,567.50'));
  it('writes shares', () => expect(formatShare(0.8764)).toBe('87,6 %'));
});

describe('ages', () => {
  const now = new Date('2026-11-21T07:30:00Z');
  it.each([
    ['2026-11-21', { count: 0, unit: 'months', about: false }],
    ['2025-05-22', { count: 17, unit: 'months', about: false }],
    ['2025-05-21', { count: 18, unit: 'months', about: false }],
    ['2024-11-22', { count: 23, unit: 'months', about: false }],
    ['2024-11-21', { count: 2, unit: 'years', about: false }],
    ['1992-03-02', { count: 34, unit: 'years', about: false }],
    ['1956', { count: 70, unit: 'years', about: true }],
    ['1956-03', { count: 70, unit: 'years', about: true }],
    ['2027-01-01', undefined], ['', undefined],
  ])('born %j', (birth, expected) => expect(age(birth, now)).toEqual(expected));
});

describe('names', () => {
  it.each([['Nguyễn Thị Hoa', 'NH'], ['BS. Trần Văn Ý', 'TÝ'], ['ổi', 'Ổ'], ['', '']])('%j has the initials %j', (name, letters) => expect(initials(name)).toBe(letters));
});

it('counts waiting minutes, never below zero', () => {
  const now = new Date('2026-11-21T07:30:59Z');
  expect(minutesSince('2026-11-21T07:00:00Z', now)).toBe(30);
  expect(minutesSince('2026-11-21T08:00:00Z', now)).toBe(0);
  expect(minutesSince('', now)).toBe(0);
});
