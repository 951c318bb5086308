import { formatNumber, formatShare } from '@shared/format';
import type { Figure } from '@shared/services';
import { language } from '@shared/words';

/** shareText is "87,6 %", or a dash where there is no denominator: such a share is not shown. */
export function shareText(share: number | undefined): string {
  return share === undefined ? '–' : formatShare(share, language());
}

/** countText writes a count with its thousands apart. */
export function countText(n: number): string {
  return formatNumber(n, language());
}

/** changeOf is how a share moved in 30 days, in points of a per cent: "+1,2". */
export function changeOf(figure: { share: number | undefined; before: number | undefined }): { points: number; text: string } | undefined {
  if (figure.share === undefined || figure.before === undefined) return undefined;
  const points = Number(((figure.share - figure.before) * 100).toFixed(1));
  const text = formatNumber(Math.abs(points).toFixed(1), language());
  return { points, text: points > 0 ? `+${text}` : points < 0 ? `−${text}` : text };
}

/** sorted puts those left out first, or goes by name; those without a share come last. */
export function sorted(list: Figure[], by: 'share' | 'name'): Figure[] {
  return [...list].sort((a, b) => {
    if (by === 'name') return a.name.localeCompare(b.name, 'vi');
    return (a.share ?? 2) - (b.share ?? 2) || a.name.localeCompare(b.name, 'vi');
  });
}

/** widest is the share at the right end of the bars: all of them and the target fit, in a round step. */
export function widest(list: Figure[], target: number | undefined): number {
  const most = Math.max(0.05, target ?? 0, ...list.map((f) => f.share ?? 0));
  const step = most > 0.5 ? 0.25 : most > 0.2 ? 0.1 : 0.05;
  return Math.ceil(most / step - 1e-9) * step;
}
