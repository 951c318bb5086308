// Searches over several resources: chains and reverse chains of any depth,
// lists, trees of references, includes that go on, orders by several keys.
import { fold } from './fold.mjs'

const pick = (rand, list) => list[Math.floor(rand() * list.length)]

// linked lists the reference parameters of each type that lead somewhere:
// {type, p, target}.
function linked(oracle) {
  const out = []
  for (const [key, { p, rows }] of oracle.table) {
    if (p.type !== 'reference') continue
    const targets = new Set(rows.flatMap((r) => r.values.map((v) => /^([A-Z][A-Za-z]+)\//.exec(v.reference ?? '')?.[1])))
    for (const target of targets) if (oracle.types.has(target)) out.push({ type: key.split('.')[0], p, target })
  }
  return out
}

// paths generates conditions that go over two to four links, forwards and
// backwards in any order.
export function* paths(oracle, rand, conditionOf, count) {
  const links = linked(oracle)
  for (let i = 0; i < count; i++) {
    const link = pick(rand, links)
    let at = conditionOf(oracle, rand, rand() < 0.5 ? link.target : link.type)
    if (!at) continue
    const depth = 2 + Math.floor(rand() * 3)
    // Forwards only, backwards only, or both.
    const way = ['chain', '_has', ''][i % 3]
    let here = at.type
    for (let d = 0; d < depth; d++) {
      const { type, p, target } = pick(rand, links.filter((l) => (l.target === here && way !== '_has') || (l.type === here && way !== 'chain'))) ?? {}
      if (!p) break
      // A chain leads to here from type; a reverse chain to here from target.
      if (target === here && way !== '_has' && (type !== here || way === 'chain' || rand() < 0.5)) {
        at = { name: `${p.code}:${target}.${at.name}`, text: at.text, found: oracle.chain(type, p.code, target, at.found) }
        here = type
      } else {
        at = { name: `_has:${type}:${p.code}:${at.name}`, text: at.text, found: oracle.has(target, type, p.code, at.found) }
        here = target
      }
    }
    const about = at.name.includes('_has:') ? (at.name.includes('.') ? 'chain and _has' : '_has of _has') : 'chain of chains'
    yield { type: here, about, query: [[at.name, at.text]], expected: at.found }
  }
}

// lists generates searches of a List's members.
export function* lists(oracle, rand, conditionOf) {
  for (const l of oracle.types.get('List') ?? []) {
    const refs = l.entry?.map((e) => e.item.reference) ?? []
    for (const type of new Set(refs.map((r) => r.split('/')[0]))) {
      const there = new Set(oracle.types.get(type)?.map((r) => r.id))
      const expected = new Set(refs.filter((r) => r.startsWith(`${type}/`)).map((r) => r.split('/')[1]).filter((id) => there.has(id)))
      yield { type, about: '_list', query: [['_list', l.id]], expected }
      const and = conditionOf(oracle, rand, type)
      if (and) yield { type, about: '_list', query: [['_list', l.id], [and.name, and.text]], expected: new Set([...expected].filter((id) => and.found.has(id))) }
    }
  }
}

// trees generates :above and :below of references to what is part of another.
export function* trees(oracle, rand) {
  for (const { type, p, target } of linked(oracle)) {
    const tree = ['partof', 'part-of'].map((c) => oracle.table.get(`${target}.${c}`)).find((t) => t?.p.target?.includes(target))
    if (!tree) continue
    const up = new Map(tree.rows.map((r) => [r.id, r.values.map((v) => v.reference).filter((x) => x?.startsWith(`${target}/`)).map((x) => x.split('/')[1])]))
    const line = (id, out = new Set()) => { if (!out.has(id)) { out.add(id); for (const x of up.get(id) ?? []) line(x, out) } return out }
    const { rows } = oracle.table.get(`${type}.${p.code}`)
    const used = [...new Set(rows.flatMap((r) => r.values.map((v) => v.reference)).filter((x) => x?.startsWith(`${target}/`)).map((x) => x.split('/')[1]))]
    const ids = [...new Set([...Array.from({ length: 4 }, () => pick(rand, used)), ...used.flatMap((id) => [...line(id)]).slice(0, 6)])]
    for (const id of ids) {
      for (const modifier of ['above', 'below']) {
        const wanted = modifier === 'above' ? line(id) : new Set([...up.keys()].filter((x) => line(x).has(id)).concat(id))
        const expected = new Set(rows.filter((r) => r.values.some((v) => v.reference?.startsWith(`${target}/`) && wanted.has(v.reference.split('/')[1]))).map((r) => r.id))
        yield { type, about: `reference:${modifier}`, query: [[`${p.code}:${modifier}`, `${target}/${id}`]], expected }
      }
    }
  }
}

// iterated generates includes that go on from what was included.
export function* iterated(oracle, rand, conditionOf, count) {
  const links = linked(oracle)
  const there = (ref) => oracle.types.get(ref.split('/')[0])?.some((r) => r.id === ref.split('/')[1])
  const step = (refs, { type, p, target, reverse }) => {
    const { rows } = oracle.table.get(`${type}.${p.code}`)
    const out = []
    for (const r of rows) for (const v of r.values) {
      if (!v.reference?.startsWith(`${target}/`) || !there(v.reference)) continue
      if (reverse ? refs.has(v.reference) : refs.has(`${type}/${r.id}`)) out.push(reverse ? `${type}/${r.id}` : v.reference)
    }
    return out
  }
  for (let i = 0; i < count; i++) {
    const first = { ...pick(rand, links), reverse: rand() < 0.4 }
    const [from, to] = first.reverse ? [first.target, first.type] : [first.type, first.target]
    const on = links.filter((l) => l.type === to || l.target === to)
    if (!on.length) continue
    const then = pick(rand, on)
    const second = { ...then, reverse: then.target === to && (then.type !== to || rand() < 0.5) }
    const matches = conditionOf(oracle, rand, from)
    if (!matches || matches.found.size > 40 || !matches.found.size) continue
    const own = new Set([...matches.found].map((id) => `${from}/${id}`))
    const all = new Set(own)
    let fresh = new Set(step(own, first))
    // What goes on holds for the matches, too.
    for (const x of step(own, second)) fresh.add(x)
    for (let round = 0; fresh.size && round < 20; round++) {
      fresh = new Set([...fresh].filter((x) => !all.has(x)))
      for (const x of fresh) all.add(x)
      fresh = new Set(step(fresh, second))
    }
    const expected = new Set([...all].filter((x) => !own.has(x)))
    if (!expected.size || expected.size > 300) continue
    const name = (l, iterate) => [`${l.reverse ? '_revinclude' : '_include'}${iterate ? ':iterate' : ''}`, `${l.type}:${l.p.code}:${l.target}`]
    yield { type: from, about: '_include:iterate', query: [[matches.name, matches.text], name(first), name(second, true)], expected }
  }
}

// What began at no known time is as new as its end, where the newest come first.
const began = (v, descending) => (descending && v.low < -8e15 ? v.high : v.low)
const keys = {
  string: (v) => (v.derived ? undefined : fold(v.text)), date: began, number: (v) => v.value, quantity: (v) => v.value, token: (v) => v.code,
  reference: (v) => (v.reference === undefined ? undefined : /^[A-Z][A-Za-z]+\/[^/]+$/.test(v.reference) ? v.reference.split('/')[1] : v.reference), uri: (v) => v.uri,
}

// keyOf returns by id what a list is sorted by.
export function keyOf({ p, rows }, descending) {
  return new Map(rows.map((r) => {
    const all = r.values.map((v) => keys[p.type](v, descending)).filter((k) => k !== undefined).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    return [r.id, descending ? all.at(-1) : all[0]]
  }))
}

// orders generates sorted searches, by one key and by several, with the keys
// that the page must be in.
export function* orders(oracle, rand) {
  const byType = new Map()
  for (const [key, c] of oracle.table) {
    const type = key.split('.')[0]
    const canonical = c.p.type === 'reference' && c.rows.some((r) => r.values.some((v) => v.canonical))
    if (!keys[c.p.type] || canonical || c.p.code === '_id' || c.rows.length > 900 || c.rows.length < 3) continue
    byType.set(type, [...(byType.get(type) ?? []), c])
    for (const descending of [false, true]) yield { type, about: '_sort', query: [['_sort', (descending ? '-' : '') + c.p.code]], keys: [{ key: keyOf(c, descending), descending }] }
  }
  for (const [type, list] of byType) {
    if (list.length < 2) continue
    for (let i = 0; i < 4; i++) {
      const by = Array.from({ length: 2 + Math.floor(rand() * 2) }, () => ({ c: pick(rand, list), descending: rand() < 0.5 }))
      yield {
        type, about: '_sort by several', query: [['_sort', by.map((b) => (b.descending ? '-' : '') + b.c.p.code).join(',')]],
        keys: by.map((b) => ({ key: keyOf(b.c, b.descending), descending: b.descending })),
      }
    }
  }
}
