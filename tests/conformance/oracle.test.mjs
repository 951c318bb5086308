// Searches of the server compared with brute force over the same resources.
//   ORACLE_SEED repeats a run; ORACLE_BUNDLES is how many of the Synthea
//   bundles take part; ORACLE_ONLY is a part of a question's kind.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { iterated, lists, orders, paths, trees } from './oracle/deep.mjs'
import { extra, lists as listed } from './oracle/extra.mjs'
import { paged } from './oracle/pages.mjs'
import { Oracle, condition, includes, questions, random } from './oracle/queries.mjs'
import { data, synthea } from './oracle/synthea.mjs'
import { Terms } from './oracle/terms.mjs'
import { updates } from './oracle/updates.mjs'
import { wordings } from './oracle/words.mjs'
import { call, server } from './server.mjs'

const seed = Number(process.env.ORACLE_SEED ?? 20261122)
const bundles = Number(process.env.ORACLE_BUNDLES ?? 8)

test('searches find exactly what brute force finds', { skip: existsSync(data) ? false : '../shared/data is not there' }, async (t) => {
  // Most of the examples refer to what is not among them.
  const s = await server('--records-references-write', 'none')
  t.after(() => s.stop())
  const resources = [...synthea(bundles), ...extra]
  await store(s, resources)
  const more = await storeEach(s, examples())
  assert.ok(more.length > 55, `only ${more.length} examples were taken`)
  resources.push(...more)
  const terms = new Terms(resources, random(seed))
  const made = [...terms.resources, ...listed(resources)]
  await store(s, made)
  const oracle = new Oracle([...resources, ...made], terms)
  const tally = new Map()
  const wrong = []
  const rand = random(seed)
  let queue = [
    ...questions(oracle, rand, 2), ...paths(oracle, rand, condition, 240), ...lists(oracle, rand, condition), ...trees(oracle, rand),
    ...wordings(oracle, rand, condition), ...await updates(s, oracle, rand),
  ]
  queue.push(...includes(oracle), ...iterated(oracle, rand, condition, 250), ...orders(oracle, rand))
  if (process.env.ORACLE_ONLY) queue = queue.filter((q) => q.about.includes(process.env.ORACLE_ONLY))
  const count = queue.length
  await Promise.all(Array.from({ length: 4 }, async () => {
    for (let q = queue.pop(); q; q = queue.pop()) {
      const row = tally.get(q.about) ?? { asked: 0, wrong: 0 }
      tally.set(q.about, row)
      row.asked++
      const found = await (q.keys ? ordered : /include/.test(q.about) ? included : search)(s, q)
      if (typeof found === 'string' || q.expected && !same(found, q.expected)) { row.wrong++; wrong.push({ ...q, found }) }
    }
  }))
  for (const [about, row] of [...tally].sort()) console.log(`${about}: ${row.asked} asked${row.wrong ? `, ${row.wrong} wrong` : ''}`)
  for (const w of wrong.slice(0, Number(process.env.ORACLE_SHOW ?? 20))) console.log(told(w))
  console.log(`${count} searches, seed ${seed}`)
  assert.equal(wrong.length, 0)
  if (!process.env.ORACLE_ONLY) {
    const pages = await paged(s, oracle)
    console.log(`${pages.asked} lists of ${pages.size} were paged through while ${pages.written} writes were made`)
    assert.deepEqual(pages.wrong, [])
    assert.ok(pages.size > 20 && pages.written > 20)
  }
  if (!process.env.ORACLE_ONLY) assert.ok(count >= 3000, `${count} searches are too few to judge by`)
})

// What a server does with these itself would change the answers.
const apart = ['Subscription', 'Bundle', 'Parameters', 'OperationOutcome']

function examples() {
  const dir = join(data, 'fhir-r4-examples')
  return readdirSync(dir).map((f) => JSON.parse(readFileSync(join(dir, f), 'utf8')))
    .filter((r) => r.id && !apart.includes(r.resourceType))
    // Most are about the same people, who are not among them.
    .map((r) => JSON.parse(JSON.stringify(r).replace(/"reference":"Patient\/[^"]*"/g, '"reference":"Patient/vn-2"')))
}

async function store(s, resources) {
  for (let i = 0; i < resources.length; i += 500) {
    const entry = resources.slice(i, i + 500).map((resource) => ({ resource, request: { method: 'PUT', url: `${resource.resourceType}/${resource.id}` } }))
    const r = await call(s, 'POST', '/', { body: { resourceType: 'Bundle', type: 'transaction', entry } })
    assert.equal(r.status, 200, r.text.slice(0, 500))
  }
}

// storeEach stores one by one and returns what was taken: some examples are
// no valid resources, some refer to people who are not there.
async function storeEach(s, resources) {
  const taken = []
  for (const resource of resources.sort((a, b) => (b.resourceType === 'Patient') - (a.resourceType === 'Patient'))) {
    const r = await call(s, 'PUT', `/${resource.resourceType}/${resource.id}`, { body: resource })
    if (r.status < 300) taken.push(resource)
    else console.log(`${resource.resourceType}/${resource.id} was not taken: ${r.body?.issue?.[0]?.diagnostics}`)
  }
  return taken
}

async function search(s, q) {
  const form = new URLSearchParams(q.query)
  // Of the long lists only some are read, the others are counted.
  const count = q.expected.size > 1500 || q.expected.size > 200 && q.query[0].join('').length % 3 > 0
  // Some totals are asked for besides.
  const total = q.query[0][1].length % 8 === 0
  if (count) form.set('_summary', 'count')
  else {
    form.set('_count', '1000')
    // Long lists are asked for by their ids alone.
    if (q.expected.size > 20) form.set('_elements', 'id')
    if (total) form.set('_total', q.query.length > 1 ? 'estimate' : 'accurate')
  }
  let page = await call(s, 'POST', `/${q.type}/_search`, { body: form.toString(), type: 'application/x-www-form-urlencoded' })
  const found = new Set()
  for (;;) {
    if (page.status !== 200) return `${page.status} ${page.body?.issue?.[0]?.diagnostics}`
    if (count) return page.body.total
    if (total && page.body.total !== q.expected.size) return `a total of ${page.body.total}`
    for (const e of page.body.entry ?? []) {
      if (found.has(e.resource.id)) return `${e.resource.id} is there twice`
      found.add(e.resource.id)
    }
    const next = page.body.link?.find((l) => l.relation === 'next')
    if (!next) return found
    page = await call(s, 'GET', next.url)
  }
}

// page is the one page of a search.
async function page(s, q) {
  const r = await call(s, 'POST', `/${q.type}/_search`, { body: new URLSearchParams([...q.query, ['_count', '1000'], ...(q.keys ? [['_elements', 'id']] : [])]).toString(), type: 'application/x-www-form-urlencoded' })
  return r.status === 200 ? r.body.entry ?? [] : `${r.status} ${r.body?.issue?.[0]?.diagnostics}`
}

async function included(s, q) {
  const entries = await page(s, q)
  if (typeof entries === 'string') return entries
  return new Set(entries.filter((e) => e.search.mode === 'include').map((e) => `${e.resource.resourceType}/${e.resource.id}`))
}

// ordered tells where a page is out of order; what has no value comes last.
async function ordered(s, q) {
  const entries = await page(s, q)
  if (typeof entries === 'string') return entries
  if (entries.length !== q.keys[0].key.size) return `${entries.length} entries`
  for (let i = 1; i < entries.length; i++) {
    for (const { key, descending } of q.keys) {
      const [a, b] = [key.get(entries[i - 1].resource.id), key.get(entries[i].resource.id)]
      if (a === b) continue
      if (a === undefined || b !== undefined && (descending ? a < b : a > b)) return `${a} stands before ${b}`
      break
    }
  }
}

// What the server had before, the demo's one person, is none of ours.
function same(found, expected) {
  if (typeof found === 'number') return found === expected.size
  return found.size === expected.size && [...expected].every((x) => found.has(x))
}

function told(w) {
  const query = w.query.map((p) => p.join('=')).join('&')
  if (typeof w.found === 'string' || typeof w.found === 'number') return `${w.type}?${query}: ${w.found}, expected ${(w.expected ?? w.keys[0].key).size}`
  const missing = [...w.expected].filter((x) => !w.found.has(x))
  const extra = [...w.found].filter((x) => !w.expected.has(x))
  return `${w.type}?${query}: ${missing.length} missing ${missing.slice(0, 2)}, ${extra.length} too many ${extra.slice(0, 2)}`
}
