// Whether a value matches, by the letter of https://hl7.org/fhir/R4/search.html.
import { createRequire } from 'node:module'
import { fold } from './fold.mjs'
import { interval } from './time.mjs'

const ucum = createRequire(import.meta.url)('@lhncbc/ucum-lhc').UcumLhcUtils.getInstance()
export const unitsOfMeasure = 'http://unitsofmeasure.org'

const prefixes = ['eq', 'ne', 'gt', 'lt', 'ge', 'le', 'sa', 'eb', 'ap']

function prefixed(text) {
  const p = text.slice(0, 2)
  return prefixes.includes(p) ? [p, text.slice(2)] : ['eq', text]
}

// matcher returns a function from one value to whether it matches.
export function matcher(type, modifier, text, terms) {
  if (['in', 'not-in', 'above', 'below'].includes(modifier) && type === 'token') return terms.matcher(modifier, text)
  if (modifier === 'not' || modifier === 'missing') throw new Error(`${modifier} is about the resource`)
  return matchers[type](text, modifier)
}

const matchers = {
  token(text, modifier) {
    if (modifier === 'text') return (v) => (v.texts ?? []).some((t) => fold(t).startsWith(fold(text)))
    if (modifier === 'of-type') {
      const [system, code, value] = text.split('|')
      return (v) => v.code === value && (v.kinds ?? []).some((k) => k.system === system && k.code === code)
    }
    const bar = text.indexOf('|')
    if (bar < 0) return (v) => v.code === text || v.contact && contact(v.code) === contact(text)
    const [system, code] = [text.slice(0, bar), text.slice(bar + 1)]
    return (v) => v.code !== undefined && ((v.system ?? '') === system || v.systems?.includes(system)) && (!code || v.code === code)
  },
  string(text, modifier) {
    if (modifier === 'exact') return (v) => !v.derived && v.text.normalize() === text.normalize()
    if (modifier === 'contains') return (v) => fold(v.text).includes(fold(text))
    return (v) => fold(v.text).startsWith(fold(text))
  },
  date(text) {
    const [prefix, rest] = prefixed(text)
    const s = interval(rest)
    return (v) => ranges[prefix](v, s)
  },
  number(text) {
    const [prefix, rest] = prefixed(text)
    return (v) => compare(prefix, Number(rest), rest, v.value)
  },
  quantity(text) {
    const [prefix, rest] = prefixed(text)
    const [number, system, code] = rest.split('|')
    return (v) => {
      if (system && code && system === unitsOfMeasure && v.system === unitsOfMeasure && v.code && v.code !== code) {
        // Both ends of what the precision leaves open, in the value's unit.
        const [low, high] = precision(number)
        const [a, b, exact] = [low, high, Number(number)].map((n) => convert(n, code, v.code))
        return exact === undefined ? false : compare(prefix, exact, number, v.value, [a, b])
      }
      if (code && v.code !== code && !(system === '' && v.unit === code)) return false
      if (system && v.system !== system) return false
      return compare(prefix, Number(number), number, v.value)
    }
  },
  reference(text, modifier) {
    if (modifier === 'identifier') {
      const [system, value] = text.split('|')
      return (v) => v.identifier !== undefined && v.identifier.value === value && (v.identifier.system ?? '') === system
    }
    const want = modifier && modifier !== 'not' && !text.includes('/') ? `${modifier}/${text}` : text
    if (/^[a-z]+:/.test(want)) return (v) => v.reference === want || canonical(v.canonical, want)
    if (want.includes('/')) return (v) => v.reference === want || canonical(v.canonical, want)
    return (v) => v.reference !== undefined && new RegExp(`^[A-Za-z]+/${want.replaceAll('.', '\\.')}$`).test(v.reference)
  },
  uri(text, modifier) {
    if (modifier === 'below') return (v) => canonical(v.uri, text) || v.uri.startsWith(text.endsWith('/') ? text : `${text}/`)
    if (modifier === 'above') return (v) => v.uri === text || text.startsWith(v.uri.endsWith('/') ? v.uri : `${v.uri}/`)
    return (v) => canonical(v.uri, text)
  },
}

// Numbers are the same however their digits stand, addresses in any case.
const contact = (s) => (s.includes('@') ? s.toLowerCase() : /^\+?[\d .()/-]+$/.test(s) ? s.replace(/[ .()/-]/g, '').replace(/^(\+84|0084)0?(?=\d{9})/, '0') : s)

// A canonical without a version names every version.
const canonical = (v, want) => v !== undefined && (v === want || (!want.includes('|') && v.split('|')[0] === want))

// UCUM counts a mole as a bare number of particles. Nobody who looks for cells
// per litre wants the sodium, so substances and numbers are kept apart.
function convert(n, from, to) {
  if (from.includes('mol') !== to.includes('mol')) return undefined
  const r = ucum.convertUnitTo(from, n, to)
  return r.status === 'succeeded' ? r.toVal : undefined
}

const ranges = {
  eq: (v, s) => v.low >= s.low && v.high <= s.high,
  ne: (v, s) => !ranges.eq(v, s),
  gt: (v, s) => v.high > s.high,
  lt: (v, s) => v.low < s.low,
  ge: (v, s) => ranges.gt(v, s) || ranges.eq(v, s),
  le: (v, s) => ranges.lt(v, s) || ranges.eq(v, s),
  ap: (v, s) => { const gap = Math.abs(Date.now() - s.low) / 10; return v.low < s.high + gap && v.high > s.low - gap },
  sa: (v, s) => v.low >= s.high,
  eb: (v, s) => v.high <= s.low,
}

// precision returns the ends of what a number's digits leave open.
export function precision(text) {
  const [mantissa, exponent] = text.toLowerCase().split('e')
  const decimals = (mantissa.split('.')[1] ?? '').length
  const half = 0.5 * 10 ** (Number(exponent ?? 0) - decimals)
  return [Number(text) - half, Number(text) + half]
}

function compare(prefix, wanted, text, value, ends = precision(text)) {
  switch (prefix) {
    case 'eq': return value >= ends[0] && value < ends[1]
    case 'ne': return !(value >= ends[0] && value < ends[1])
    case 'gt': case 'sa': return value > wanted
    case 'lt': case 'eb': return value < wanted
    case 'ge': return value >= wanted
    case 'le': return value <= wanted
    case 'ap': return Math.abs(value - wanted) <= Math.abs(wanted) * (0.1 + 1e-12)
  }
}
