// Generated searches with the ids they must find.
import { fold } from './fold.mjs'
import { componentTypes, parameters, values } from './extract.mjs'
import { matcher, unitsOfMeasure } from './match.mjs'

// random is a small seeded generator (mulberry32), so that a failure can be
// repeated by its seed.
export function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const escape = (s) => s.replace(/[\\,$|]/g, (c) => `\\${c}`)

// Oracle holds the values of every parameter of every resource.
export class Oracle {
  constructor(resources, terms) {
    this.terms = terms
    this.types = Map.groupBy ? Map.groupBy(resources, (r) => r.resourceType) : group(resources)
    this.table = new Map()
    for (const [type, list] of this.types) {
      for (const p of parameters(type)) {
        const rows = list.map((r) => ({ id: r.id, values: values(p, r) }))
        this.table.set(`${type}.${p.code}`, { p, rows })
      }
    }
  }

  // find returns the ids that one parameter with one list of values matches.
  find(type, code, modifier, texts) {
    const { p, rows } = this.table.get(`${type}.${code}`)
    if (modifier === 'missing') return ids(rows, (r) => (r.values.length === 0) === (texts[0] === 'true'))
    const any = texts.map((t) => whole(p, modifier === 'not' ? '' : modifier, t, this.terms))
    const hit = (r) => r.values.some((v) => any.some((m) => m(v)))
    return ids(rows, modifier === 'not' || modifier === 'not-in' ? (r) => !hit(r) : hit)
  }

  // usable are a type's plain parameters with the resources that have values.
  usable(type) {
    this.plain ??= new Map()
    if (!this.plain.has(type)) {
      const kinds = ['token', 'string', 'date', 'number', 'quantity', 'uri']
      this.plain.set(type, [...cases(this)].filter((c) => c.type === type && kinds.includes(c.p.type) && c.p.code !== '_id').map((c) => ({ p: c.p, full: c.rows.filter((r) => r.values.length) })).filter((c) => c.full.length))
    }
    return this.plain.get(type)
  }

  // chain returns the ids whose reference by code points at a target in found.
  chain(type, code, target, found) {
    const { rows } = this.table.get(`${type}.${code}`)
    return ids(rows, (r) => r.values.some((v) => v.reference?.startsWith(`${target}/`) && found.has(v.reference.slice(target.length + 1))))
  }

  // has returns the ids of type that a resource in found refers to by code.
  has(type, source, code, found) {
    const { rows } = this.table.get(`${source}.${code}`)
    const out = new Set()
    for (const r of rows) if (found.has(r.id)) for (const v of r.values) if (v.reference?.startsWith(`${type}/`)) out.add(v.reference.slice(type.length + 1))
    // Some references lead to nothing.
    return new Set(this.types.get(type)?.map((r) => r.id).filter((id) => out.has(id)))
  }
}

function group(list) {
  const m = new Map()
  for (const r of list) m.set(r.resourceType, [...(m.get(r.resourceType) ?? []), r])
  return m
}

// includes generates searches whose pages bring other resources along:
// {type, query, expected}, expected being the included "Type/id".
export function* includes(oracle) {
  for (const { p, rows, type } of cases(oracle)) {
    if (p.type !== 'reference' || rows.length > 900) continue
    const there = (ref) => oracle.types.get(ref.split('/')[0])?.some((r) => r.id === ref.split('/')[1])
    const refs = new Set(rows.flatMap((r) => r.values.map((v) => v.reference)).filter((ref) => ref && there(ref)))
    // What is a match already is not included once more.
    const own = new Set(rows.map((r) => `${type}/${r.id}`))
    const out = new Set([...refs].filter((ref) => !own.has(ref)))
    if (out.size && out.size < 900) yield { type, about: '_include', query: [['_include', `${type}:${p.code}`]], expected: out }
    for (const target of new Set([...refs].map((ref) => ref.split('/')[0]))) {
      const targets = oracle.types.get(target)
      const back = new Set(rows.filter((r) => r.values.some((v) => v.reference?.startsWith(`${target}/`) && there(v.reference))).map((r) => `${type}/${r.id}`).filter((ref) => target !== type || !targets.some((x) => `${target}/${x.id}` === ref)))
      if (targets.length < 900 && back.size && back.size < 900) yield { type: target, about: '_revinclude', query: [['_revinclude', `${type}:${p.code}`]], expected: back }
    }
  }
}

const ids = (rows, keep) => new Set(rows.filter(keep).map((r) => r.id))

function whole(p, modifier, text, terms) {
  if (p.type !== 'composite') return matcher(p.type, modifier, unescape(text, p.type), terms)
  const types = componentTypes(p)
  const parts = text.split(/(?<!\\)\$/)
  const each = types.map((t, i) => matcher(t, '', unescape(parts[i], t)))
  return (v) => each.every((m, i) => m(v[i]))
}

// A value keeps its bars, which separate a token's parts.
const unescape = (s) => s.replace(/\\([\\,$|])/g, '$1')

// questions generates searches: {type, query, expected, about}.
export function* questions(oracle, rand, perCase) {
  const pick = (list) => list[Math.floor(rand() * list.length)]
  for (const { p, rows, type } of cases(oracle)) {
    const full = rows.filter((r) => r.values.length > 0)
    const ask = (modifier, texts) => ({
      type, about: `${p.type}${modifier ? `:${modifier}` : ''}`,
      query: [[p.code + (modifier ? `:${modifier}` : ''), texts.join(',')]],
      expected: oracle.find(type, p.code, modifier, texts),
    })
    for (const missing of ['true', 'false']) if (p.code !== '_id') yield ask('missing', [missing])
    if (!full.length) continue
    for (let i = 0; i < perCase; i++) {
      const sample = () => pick(pick(full).values)
      for (const [modifier, text] of texts(p, sample(), rand, oracle.terms)) yield ask(modifier, [text])
      const both = [texts(p, sample(), rand)[0], texts(p, sample(), rand)[0]]
      if (both[0] && both[1]) {
        yield ask('', both.map((b) => b[1]))
        if (i && (p.type === 'token' || p.type === 'reference')) yield ask('not', both.map((b) => b[1]))
      }
      // The same parameter twice: both must hold.
      const [one, two] = [texts(p, sample(), rand), texts(p, sample(), rand)].map((list) => pick(list))
      if (one && two) {
        const [a, b] = [one, two].map(([m, t]) => ask(m, [t]))
        yield { type, about: `${p.type} twice`, query: [...a.query, ...b.query], expected: new Set([...a.expected].filter((x) => b.expected.has(x))) }
      }
    }
    if (p.type === 'reference') yield* links(oracle, rand, type, p, full)
  }
}

function* cases(oracle) {
  for (const [key, c] of oracle.table) yield { ...c, type: key.split('.')[0] }
}

// texts are [modifier, text] for values like v.
function texts(p, v, rand, terms) {
  if (p.type === 'composite') {
    const parts = componentTypes(p).map((t, i) => texts({ type: t }, v[i], rand).filter(([m]) => m === ''))
    if (parts.some((list) => !list.length)) return []
    return parts[parts.length - 1].slice(0, 6).map(([, last]) => ['', [...parts.slice(0, -1).map((list) => list[0][1]), last].join('$')])
  }
  const plain = shapes[p.type](v, rand)
  return (p.type === 'token' && terms ? [...plain, ...terms.modified(v, rand)] : plain).filter(([, t]) => t !== '')
}

const numbers = ['', 'eq', 'ne', 'gt', 'lt', 'ge', 'le', 'sa', 'eb', 'ap']

const shapes = {
  token(v, rand) {
    const out = []
    if (v.code !== undefined) {
      const code = escape(v.code)
      out.push(['', code], ['not', code])
      if (v.system) out.push(['', `${escape(v.system)}|${code}`], ['', `${escape(v.system)}|`], ['not', `${escape(v.system)}|${code}`])
      else if (!v.contact) out.push(['', `|${code}`])
      for (const s of v.systems ?? []) out.push(['', `${escape(s)}|${code}`], ['not', `${escape(s)}|${code}`], ['', `${escape(s)}|`], ...(rand() < 0.2 ? [['', `http://yba.test/none|${code}`]] : []))
      for (const k of v.kinds ?? []) if (k.system && k.code) out.push(['of-type', [k.system, k.code, v.code].map(escape).join('|')])
    }
    for (const t of v.texts ?? []) out.push(['text', escape(t.slice(0, 12).trimEnd())], ['text', escape(fold(t).slice(0, 6).trimEnd())])
    return out
  },
  string(v, rand) {
    const s = v.text.trim()
    const from = Math.floor(rand() * s.length)
    return [
      ['', escape(s)], ['', escape(fold(s).slice(0, 1 + Math.floor(rand() * 5)).trimEnd())], ['exact', escape(v.text)], ['exact', escape(v.text.normalize(rand() < 0.5 ? 'NFC' : 'NFD'))], ['exact', escape(fold(s))],
      ['contains', escape(fold(s.slice(from, from + 4)))], ['', escape(fold(s).split(' ').at(-1))],
    ].filter(([, t]) => t.trim())
  },
  date(v, rand) {
    const at = new Date(Math.abs(v.low) > 8e15 ? v.high - 1 : v.low).toISOString()
    const text = at.slice(0, [4, 7, 10, 19, 23][Math.floor(rand() * 5)]) 
    const zoned = text.length > 10 ? `${text}Z` : text
    return numbers.map((n) => ['', n + zoned])
  },
  number: (v) => numbers.map((n) => ['', `${n}${v.value}`]),
  quantity(v, rand) {
    if (v.comparator) return []
    // More digits than this and floating point decides, not the rules.
    const short = String(rand() < 0.5 ? Number(v.value.toPrecision(3)) : Number(v.value.toPrecision(9)))
    const out = numbers.map((n) => ['', n + short])
    if (v.code) {
      out.push(...numbers.map((n) => ['', `${n}${short}|${escape(v.system ?? '')}|${escape(v.code)}`]))
      if (v.system === unitsOfMeasure) for (const [code, factor] of other[v.code] ?? []) {
        const there = Number((v.value * factor).toPrecision(4))
        out.push(...['gt', 'lt'].map((n) => ['', `${n}${Number((there * 1.01).toPrecision(4))}|${unitsOfMeasure}|${code}`]))
      }
    }
    return out.filter(([, t]) => !/e/i.test(t.replace(/^(eq|ne|ge|le|eb)/, '').split('|')[0]))
  },
  reference(v) {
    if (v.identifier) return v.identifier.system ? [['identifier', `${escape(v.identifier.system)}|${escape(v.identifier.value)}`]] : []
    if (v.canonical) return [['', escape(v.canonical)]]
    const m = /^([A-Z][A-Za-z]+)\/([A-Za-z0-9.-]+)$/.exec(v.reference)
    if (!m) return [['', escape(v.reference)]]
    return [['', v.reference], ['', m[2]], [m[1], m[2]], ['not', v.reference], [m[1], v.reference]]
  },
  uri(v) {
    const parent = v.uri.replace(/\/[^/]*$/, '')
    return [['', escape(v.uri)], ['', escape(v.uri.split('|')[0])], ['below', escape(/^\w+:\/\/.+/.test(parent) ? parent : v.uri)], ['above', escape(`${v.uri}/x/y`)]]
  },
}

// other units of the same dimension, with the factor from the first to them.
const other = { cm: [['m', 0.01], ['[in_i]', 0.3937]], kg: [['g', 1000], ['[lb_av]', 2.2046]], 'mg/dL': [['g/L', 0.01]], 'mm[Hg]': [['kPa', 0.1333]], Cel: [['[degF]', 1.8]], '/min': [['Hz', 1 / 60]] }

// links are chains and reverse chains over a reference parameter.
function* links(oracle, rand, type, p, full) {
  const pick = (list) => list[Math.floor(rand() * list.length)]
  const ref = pick(pick(full).values).reference
  const target = /^([A-Z][A-Za-z]+)\//.exec(ref ?? '')?.[1]
  if (!target || !oracle.types.has(target)) return
  for (let i = 0; i < 2; i++) {
    const end = condition(oracle, rand, target)
    if (end) yield { type, about: 'chain', query: [[`${p.code}:${target}.${end.name}`, end.text]], expected: oracle.chain(type, p.code, target, end.found) }
    const start = condition(oracle, rand, type)
    if (start) yield { type: target, about: '_has', query: [[`_has:${type}:${p.code}:${start.name}`, start.text]], expected: oracle.has(target, type, p.code, start.found) }
    const both = condition(oracle, rand, type)
    if (end && both) {
      const expected = new Set([...oracle.chain(type, p.code, target, end.found)].filter((x) => both.found.has(x)))
      yield { type, about: 'chain and more', query: [[`${p.code}:${target}.${end.name}`, end.text], [both.name, both.text]], expected }
    }
  }
}

// condition is a plain parameter of a type with a value that is there.
export function condition(oracle, rand, type) {
  const pick = (list) => list[Math.floor(rand() * list.length)]
  const usable = oracle.usable(type)
  if (!usable.length) return undefined
  const { p, full } = pick(usable)
  const options = texts(p, pick(pick(full).values), rand, oracle.terms)
  if (!options.length) return undefined
  const [modifier, text] = pick(options)
  return { type, name: p.code + (modifier ? `:${modifier}` : ''), text, found: oracle.find(type, p.code, modifier, [text]) }
}
