// What nurses type, read into the forms the server keeps.

const pad = (n: string) => n.padStart(2, '0');

function real(year: number, month: number, day: number): boolean {
  const at = new Date(Date.UTC(year, month - 1, day));
  return at.getUTCFullYear() === year && at.getUTCMonth() === month - 1 && at.getUTCDate() === day;
}

/**
 * readDate reads "2/3/1992", "02031992", "1992-03-02", "3/1992" and "1956" into
 * a FHIR date; undefined when it is none. A year is enough: old papers have no more.
 */
export function readDate(text: string): string | undefined {
  const s = text.trim();
  if (/^\d{4}$/.test(s)) return Number(s) >= 1900 ? s : undefined;
  let m = /^(\d{1,2})[/.\-\s](\d{4})$/.exec(s);
  if (m) {
    const [, month = '', year = ''] = m;
    return Number(month) >= 1 && Number(month) <= 12 ? `${year}-${pad(month)}` : undefined;
  }
  m = /^(\d{1,2})[/.\-\s](\d{1,2})[/.\-\s](\d{4})$/.exec(s) ?? /^(\d{2})(\d{2})(\d{4})$/.exec(s);
  let [, day = '', month = '', year = ''] = m ?? [];
  if (!m) {
    m = /^(\d{4})-(\d{2})-(\d{2})$/.exec(s);
    if (!m) return undefined;
    [, year = '', month = '', day = ''] = m;
  }
  if (!real(Number(year), Number(month), Number(day)) || Number(year) < 1900) return undefined;
  return `${year}-${pad(month)}-${pad(day)}`;
}

/** readNumber reads "36,8" or "36.8" into "36.8", keeping every digit; undefined when it is no number. */
export function readNumber(text: string): string | undefined {
  const s = text.trim().replace(',', '.');
  return /^\d{1,4}(\.\d{1,3})?$/.test(s) ? s : undefined;
}

/** daysBetween counts whole days from one FHIR date (a full one) to another. */
export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / 86_400_000);
}

/** readSearch splits "hoa 1960" into a name and a birth date; a number stays a number. */
export function readSearch(text: string): { query?: string; birthDate?: string } {
  const words = text.trim().split(/\s+/u).filter(Boolean);
  const birthDate = readDate(words.at(-1) ?? '');
  const query = (birthDate ? words.slice(0, -1) : words).join(' ');
  return { ...(query && { query }), ...(birthDate && { birthDate }) };
}
