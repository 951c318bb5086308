import { describe, expect, it } from 'vitest';
import { daysBetween, readDate, readNumber, readSearch } from '../apps/station/typed';

describe('readDate', () => {
  it.each([
    ['2/3/1992', '1992-03-02'], ['02/03/1992', '1992-03-02'], ['02.03.1992', '1992-03-02'], ['02031992', '1992-03-02'],
    [' 1992-03-02 ', '1992-03-02'], ['3/1992', '1992-03'], ['1956', '1956'], ['29/2/2024', '2024-02-29'],
  ])('reads %s', (typed, kept) => expect(readDate(typed)).toBe(kept));
  it.each(['', '29/2/2023', '31/4/2000', '13/1992', '1/13/1992', '92', '1856', 'hôm qua', '1/1/92'])('refuses %s', (typed) => expect(readDate(typed)).toBeUndefined());
});

describe('readNumber', () => {
  it.each([['36,8', '36.8'], ['36.80', '36.80'], ['120', '120'], [' 5 ', '5']])('reads %s and keeps its digits', (typed, kept) => expect(readNumber(typed)).toBe(kept));
  it.each(['', '-1', '1,2,3', '12a', '12345'])('refuses %s', (typed) => expect(readNumber(typed)).toBeUndefined());
});

it('counts days over a change of month', () => expect(daysBetween('2026-01-30', '2026-02-02')).toBe(3));

describe('readSearch', () => {
  it.each([
    ['hoa 1960', { query: 'hoa', birthDate: '1960' }], ['Nguyễn  Thị Hoa', { query: 'Nguyễn Thị Hoa' }], ['1960', { birthDate: '1960' }],
    ['0912345678', { query: '0912345678' }], ['001192012345', { query: '001192012345' }], ['hoa 2/3/1992', { query: 'hoa', birthDate: '1992-03-02' }], ['  ', {}],
  ])('reads %j', (typed, asked) => expect(readSearch(typed)).toEqual(asked));
});
