// Dates as half-open ranges of milliseconds: a precision leaves a range open
// (https://hl7.org/fhir/R4/search.html#date). What has no zone is local time.
export const zone = process.env.ORACLE_ZONE ?? '+07:00'

const past = -8.64e15
const future = 8.64e15

export function interval(s) {
  const m = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?$/.exec(s)
  if (!m) return undefined
  const [, y, mo, d, h, mi, sec, frac, tz] = m
  const at = (text) => Date.parse(text + (tz ?? zone))
  const two = (n) => String(n).padStart(2, '0')
  if (h !== undefined) {
    const low = at(`${y}-${mo}-${d}T${h}:${mi}:${sec ?? '00'}${frac ? `.${frac.slice(1, 4).padEnd(3, '0')}` : ''}`)
    const width = frac ? Math.max(1, 10 ** (3 - (frac.length - 1))) : sec !== undefined ? 1000 : 60_000
    return { low, high: low + width }
  }
  if (d !== undefined) { const low = at(`${y}-${mo}-${d}T00:00:00`); return { low, high: low + 86_400_000 } }
  if (mo !== undefined) {
    const next = +mo === 12 ? `${String(+y + 1).padStart(4, '0')}-01` : `${y}-${two(+mo + 1)}`
    return { low: at(`${y}-${mo}-01T00:00:00`), high: at(`${next}-01T00:00:00`) }
  }
  return { low: at(`${y}-01-01T00:00:00`), high: at(`${String(+y + 1).padStart(4, '0')}-01-01T00:00:00`) }
}

export function period(p) {
  if (!p.start && !p.end) return undefined
  return { low: p.start ? interval(p.start).low : past, high: p.end ? interval(p.end).high : future }
}

// The range that a Timing covers: its events, or the bounds it repeats in.
export function timing(t) {
  const events = (t.event ?? []).map(interval)
  if (events.length) return { low: Math.min(...events.map((e) => e.low)), high: Math.max(...events.map((e) => e.high)) }
  return t.repeat?.boundsPeriod ? period(t.repeat.boundsPeriod) : undefined
}
