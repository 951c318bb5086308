// _text and _content by brute force: every word of the query begins a word of
// the resource; the words of a "quoted phrase" follow each other
// (https://hl7.org/fhir/R4/search.html#content).
import { fold } from './fold.mjs'

const entities = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }

// seen is a narrative's text without markup.
const seen = (div) => div.replace(/<!--.*?-->/gs, ' ').replace(/<(?:"[^"]*"|'[^']*'|[^>"'])*>/g, ' ')
  .replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (all, hex, dec, name) => (hex ? String.fromCodePoint(parseInt(hex, 16)) : dec ? String.fromCodePoint(+dec) : entities[name] ?? all))

const words = (s) => fold(s).split(/[^\p{L}\p{N}]+/u).filter(Boolean)

// Base64 is no text.
const encoded = (name) => ['data', 'query', 'hash', 'carrierAIDC'].includes(name) || name.endsWith('Base64Binary')

function* strings(v, name = '') {
  if (typeof v === 'string') { if (!encoded(name)) yield name === 'div' ? seen(v) : v }
  else if (Array.isArray(v)) for (const x of v) yield* strings(x)
  else if (v && typeof v === 'object') for (const [k, x] of Object.entries(v)) yield* strings(x, k)
}

// content are the words of each string of a resource, text those of its narrative.
export const content = (r) => [...strings(r)].map(words)
export const text = (r) => [words(seen(r.text?.div ?? ''))]

const phrase = (list, wanted, whole) => list.some((_, i) => wanted.every((w, j) => (
  j === wanted.length - 1 && !whole ? list[i + j]?.startsWith(w) : list[i + j] === w
)))

const has = (texts, query) => query.split(',').some((one) => [...one.matchAll(/"([^"]*)"|(\S+)/g)].every(([, quoted, word]) => (
  texts.some((list) => phrase(list, words(quoted ?? word), quoted !== undefined))
)))

// most is how many resources the other conditions may leave.
const most = 4900

// wordings generates searches by _content and _text.
export function* wordings(oracle, rand, conditionOf) {
  const pick = (list) => list[Math.floor(rand() * list.length)]
  for (const [type, list] of oracle.types) {
    for (const [name, of] of [['_content', content], ['_text', text]]) {
      const texts = new Map(list.map((r) => [r.id, of(r)]))
      const usable = [...texts.values()].filter((t) => t.some((l) => l.length > 1 && l.some((w) => /^\p{L}{3,}$/u.test(w))))
      if (!usable.length) continue
      const word = () => pick(pick(pick(usable).filter((l) => l.length)).filter((w) => /^\p{L}{2,}$/u.test(w))) ?? 'none'
      const pair = () => { const l = pick(pick(usable).filter((l) => l.length > 1)) ?? ['a', 'b', 'c']; const i = Math.floor(rand() * (l.length - 1)); return `"${l[i]} ${l[i + 1]}"` }
      const queries = [word(), word().slice(0, 4), `${word()} ${word()}`, pair(), `${pair()} ${word()},${word()}`]
      for (const q of queries) {
        const found = new Set([...texts].filter(([, t]) => has(t, q)).map(([id]) => id))
        const and = list.length > most || rand() < 0.3 ? conditionOf(oracle, rand, type) : undefined
        if (list.length > most && !(and?.found.size <= most)) continue
        const expected = and ? new Set([...found].filter((id) => and.found.has(id))) : found
        yield { type, about: name, query: [[name, q], ...(and ? [[and.name, and.text]] : [])], expected }
      }
    }
  }
}
