import { describe, expect, it } from 'vitest';
import { changeOf, shareText, sorted, widest } from '../apps/department/figures';
import type { Figure } from '../shared/services';

const figure = (name: string, share?: number, before?: number) => ({ code: name, name, numerator: 0, denominator: 0, denominatorSource: '', share, before }) as Figure;

describe('figures', () => {
  it('shows no share where there is no denominator', () => expect(shareText(undefined)).toBe('–'));
  it('writes a change with its sign', () => {
    expect(changeOf({ share: 0.9, before: 0.888 })?.text).toBe('+1,2');
    expect(changeOf({ share: 0.888, before: 0.9 })?.text).toBe('−1,2');
    expect(changeOf({ share: 0.9, before: 0.9 })).toEqual({ points: 0, text: '0,0' });
    expect(changeOf({ share: 0.9, before: undefined })).toBeUndefined();
  });
  it('puts those left out first and those without a share last', () =>
    expect(sorted([figure('c'), figure('b', 0.9), figure('a', 0.2)], 'share').map((f) => f.name)).toEqual(['a', 'b', 'c']));
  it('sorts names as Vietnamese does', () => expect(sorted([figure('Đông'), figure('Ea'), figure('Dương')], 'name').map((f) => f.name)).toEqual(['Dương', 'Đông', 'Ea']));
  it('leaves room for the target and for every bar', () => {
    expect(widest([figure('a', 0.3)], 0.95)).toBeCloseTo(1);
    expect(widest([figure('a', 0.04)], undefined)).toBeCloseTo(0.05);
    expect(widest([figure('a', 1.02)], 0.95)).toBeCloseTo(1.25);
  });
});
