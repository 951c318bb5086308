// Dates, times, numbers and ages as Vietnamese readers write them. Clock times
// are the province's, wherever the device thinks it is.
const zone = 'Asia/Ho_Chi_Minh';

const stamp = new Intl.DateTimeFormat('en-GB', {
  timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', hourCycle: 'h23',
});

interface Parts { year: string; month: string; day: string; hour: string; minute: string }

function parts(at: Date): Parts {
  const found: Record<string, string> = {};
  for (const p of stamp.formatToParts(at)) found[p.type] = p.value;
  return { year: found.year ?? '', month: found.month ?? '', day: found.day ?? '', hour: found.hour ?? '', minute: found.minute ?? '' };
}

// A FHIR date may be a year, a month or a day (https://hl7.org/fhir/R4/datatypes.html#date).
const partial = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$/;

/** formatDate writes "21/11/2026"; FHIR's partial dates stay partial ("11/2026", "2026"). Empty or unreadable gives "". */
export function formatDate(value: string | Date | undefined): string {
  if (!value) return '';
  if (typeof value === 'string') {
    const m = partial.exec(value);
    if (m) return [m[3], m[2], m[1]].filter(Boolean).join('/');
  }
  const at = new Date(value);
  if (Number.isNaN(at.getTime())) return '';
  const p = parts(at);
  return `${p.day}/${p.month}/${p.year}`;
}

/** formatTime writes "14:30". */
export function formatTime(value: string | Date | undefined): string {
  if (!value) return '';
  const at = new Date(value);
  if (Number.isNaN(at.getTime())) return '';
  const p = parts(at);
  return `${p.hour}:${p.minute}`;
}

/** formatDateTime writes "21/11/2026 14:30"; a date without a time stays a date. */
export function formatDateTime(value: string | undefined): string {
  if (!value) return '';
  if (partial.test(value)) return formatDate(value);
  const date = formatDate(value);
  return date && `${date} ${formatTime(value)}`;
}

/** isoDay is the province's date of a moment, "2026-11-21". */
export function isoDay(at: Date): string {
  const p = parts(at);
  return `${p.year}-${p.month}-${p.day}`;
}

/** weekday of a moment in the province: 1 is Monday, 7 is Sunday. */
export function weekday(at: Date): number {
  return new Date(`${isoDay(at)}T00:00:00Z`).getUTCDay() || 7;
}

/**
 * formatNumber writes "1.234,5" (vi) or "1,234.5" (en). A decimal given as
 * text keeps the digits it has ("1.50" becomes "1,50"), as clinical values must.
 */
export function formatNumber(value: number | string, lang: 'vi' | 'en' = 'vi'): string {
  const text = String(value);
  const m = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (!m) return text;
  const [group, point] = lang === 'vi' ? ['.', ','] : [',', '.'];
  const whole = (m[2] ?? '').replace(/\B(?=(\d{3})+(?!\d))/g, group);
  return (m[1] ? '−' : '') + whole + (m[3] ? point + m[3] : '');
}

/** formatShare writes 0.876 as "87,6 %". */
export function formatShare(share: number, lang: 'vi' | 'en' = 'vi', digits = 1): string {
  return `${formatNumber((share * 100).toFixed(digits), lang)} %`;
}

/** Age is in months below two years, else in years; about is set when only the year of birth is known. */
export interface Age { count: number; unit: 'months' | 'years'; about: boolean }

/** age at a moment; undefined when the birth date is missing or lies in the future. */
export function age(birth: string | undefined, now: Date): Age | undefined {
  const m = partial.exec(birth ?? '');
  if (!m) return undefined;
  const [year, month, day] = isoDay(now).split('-').map(Number) as [number, number, number];
  const born = Number(m[1]);
  if (!m[2]) return born > year ? undefined : { count: year - born, unit: 'years', about: true };
  let months = (year - born) * 12 + month - Number(m[2]);
  if (m[3] && day < Number(m[3])) months--;
  if (months < 0) return undefined;
  return months < 24 ? { count: months, unit: 'months', about: !m[3] } : { count: Math.floor(months / 12), unit: 'years', about: !m[3] };
}

/** initials of a Vietnamese name: family name first, given name last ("Nguyễn Thị Hoa" gives "NH"). */
export function initials(name: string): string {
  const words = name.replace(/^(BS|ThS|TS|PGS|GS|ĐD|YS|CN|BSCKI|BSCKII)\.\s*/giu, '').trim().split(/\s+/u).filter(Boolean);
  const first = words[0]?.[0] ?? '';
  const last = words.length > 1 ? (words[words.length - 1]?.[0] ?? '') : '';
  return (first + last).toLocaleUpperCase('vi');
}

/** minutesSince counts whole minutes, never below 0. */
export function minutesSince(at: string, now: Date): number {
  const ms = now.getTime() - new Date(at).getTime();
  return Number.isFinite(ms) ? Math.max(0, Math.floor(ms / 60_000)) : 0;
}
