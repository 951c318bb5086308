// Bulk exports compared with brute force over the same resources, and the rest
// of https://hl7.org/fhir/uv/bulkdata/export.html#query-parameters.
//   ORACLE_SEED repeats a run; BULK_EXPORTS is how many exports are compared.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import test, { after, before } from 'node:test'
import { extra } from './oracle/extra.mjs'
import { Oracle, questions, random } from './oracle/queries.mjs'
import { data, synthea } from './oracle/synthea.mjs'
import { call, server } from './server.mjs'

const seed = Number(process.env.ORACLE_SEED ?? 20261122)
const exports = Number(process.env.BULK_EXPORTS ?? 80)

let s
let resources
before(async () => {
  // What is referred to may be missing: some of the extra resources say so.
  s = await server('--records-references-write', 'none')
  resources = [...(existsSync(data) ? synthea(2) : []), ...extra]
  const first = (r) => Number(r.resourceType !== 'Patient')
  const lines = [...resources].sort((a, b) => first(a) - first(b)).map((r) => JSON.stringify(r)).join('\n')
  const r = await call(s, 'POST', '/$import', { body: lines, type: 'application/fhir+ndjson' })
  assert.equal(r.body.parameter?.find((p) => p.name === 'failed').valueInteger, 0, r.text.slice(0, 500))
})
after(() => s.stop())

const async = { prefer: 'respond-async' }
const lenient = { prefer: 'respond-async, handling=lenient' }

// asked kicks an export off: by GET, or by POST of a Parameters resource.
function asked(parameters, { post = false, headers = async, at = '' } = {}) {
  const kind = (name) => (name === '_since' || name === '_until' ? 'valueInstant' : 'valueString')
  if (post) return call(s, 'POST', `${at}/$export`, { headers, body: { resourceType: 'Parameters', parameter: parameters.map(([name, value]) => ({ name, [kind(name)]: value })) } })
  return call(s, 'GET', `${at}/$export?${new URLSearchParams(parameters)}`, { headers })
}

// exported asks, waits and downloads: {manifest, ids, lines, deleted, errors}.
async function exported(parameters, options) {
  const begun = await asked(parameters, options)
  assert.equal(begun.status, 202, begun.text)
  const status = begun.headers.get('content-location')
  let r = await call(s, 'GET', status)
  for (const late = Date.now() + 60_000; r.status === 202 && Date.now() < late; r = await call(s, 'GET', status)) await new Promise((done) => setTimeout(done, 25))
  assert.equal(r.status, 200, r.text)
  const [lines, deleted, errors] = await Promise.all([r.body.output, r.body.deleted, r.body.error].map(files))
  assert.equal((await call(s, 'DELETE', status)).status, 202)
  return { manifest: r.body, lines, ids: new Set(lines.map((l) => `${l.resourceType}/${l.id}`)), deleted, errors }
}

// files downloads files, whose counts have to be true.
async function files(list) {
  const out = []
  for (const f of list ?? []) {
    const r = await call(s, 'GET', f.url, { headers: { accept: 'application/fhir+ndjson' } })
    assert.equal(r.status, 200, r.text.slice(0, 500))
    const lines = r.text.split('\n').filter(Boolean).map((l) => JSON.parse(l))
    assert.equal(lines.length, f.count, f.url)
    for (const l of lines) assert.equal(l.resourceType, f.type)
    out.push(...lines)
  }
  return out
}

const criteria = (q) => `${q.type}?${q.query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')}`

// What one resource alone can be asked, by the parameter's type; a reference
// may also be narrowed to a type.
const judged = { token: ['not'], string: ['exact', 'contains'], reference: [], date: [], number: [], quantity: [], uri: [] }
const judgeable = (q) => q.query.every(([name]) => {
  const [type] = q.about.split(/[ :]/)
  const [code, modifier] = name.split(':')
  return judged[type] && (!modifier || code !== '_id' && (modifier === 'missing' || judged[type].includes(modifier) || type === 'reference' && /^[A-Z]/.test(modifier)))
})

async function searched(q) {
  let page = await call(s, 'POST', `/${q.type}/_search`, { body: new URLSearchParams([...q.query, ['_count', '1000'], ['_elements', 'id']]).toString(), type: 'application/x-www-form-urlencoded' })
  const found = []
  for (;;) {
    assert.equal(page.status, 200, page.text.slice(0, 500))
    found.push(...(page.body.entry ?? []).map((e) => `${e.resource.resourceType}/${e.resource.id}`))
    const next = page.body.link.find((l) => l.relation === 'next')
    if (!next) return found
    page = await call(s, 'GET', next.url)
  }
}

test('an export has of each type what brute force and a search find by any of its filters', async () => {
  const rand = random(seed)
  const all = [...questions(new Oracle(resources), rand, 1)]
  for (let i = all.length - 1; i > 0; i--) { // in any order
    const j = Math.floor(rand() * (i + 1));
    [all[i], all[j]] = [all[j], all[i]]
  }
  const list = all.filter(judgeable)
  const wrong = []
  let asks = 0
  let filters = 0
  let lines = 0
  await Promise.all(Array.from({ length: 3 }, async () => {
    while (asks < exports && list.length) {
      const n = asks++
      const part = list.splice(0, 1 + n % 12)
      filters += part.length
      // Several of them are about one type now and then, and must be joined by or.
      const types = [...new Set(part.map((q) => q.type))].join(',')
      const texts = part.map(criteria)
      const own = n % 5 === 0 ? [['_typeFilter', texts.join(',')]] : texts.map((t) => ['_typeFilter', t])
      const { ids } = await exported([['_type', types], ...own, ...(n % 4 === 1 ? [['_elements', 'id']] : [])], { post: n % 2 === 0 })
      lines += ids.size
      const expected = new Set(part.flatMap((q) => [...q.expected].map((id) => `${q.type}/${id}`)))
      const found = n % 4 === 0 ? new Set((await Promise.all(part.map(searched))).flat()) : expected
      for (const set of [expected, found]) {
        const differ = [...[...ids].filter((x) => !set.has(x)), ...[...set].filter((x) => !ids.has(x))]
        if (differ.length) wrong.push(`${texts.join('  ')}: ${differ.slice(0, 5)} of ${differ.length}`)
      }
    }
  }))
  console.log(`${asks} exports with ${filters} filters have ${lines} resources, seed ${seed}`)
  for (const w of wrong.slice(0, 10)) console.log(w)
  assert.equal(wrong.length, 0)
  assert.ok(filters > exports && lines > filters, 'too little to judge by')
  for (const q of all.filter((q) => !judgeable(q)).slice(0, 200)) {
    const r = await asked([['_typeFilter', criteria(q)]])
    assert.equal(r.status, 400, criteria(q))
    assert.match(r.body.issue[0].expression[0], /^_typeFilter\[0\]/, r.text)
  }
})

test('what a filter cannot be is refused with its place, and left out of a lenient export with a word', async () => {
  for (const bad of [
    'Observation?subject.name=a', 'Patient?_has:Observation:patient:code=a', 'Observation?_include=Observation:subject', 'Observation?_revinclude=Provenance:target',
    'Observation?_sort=date', 'Observation?_count=5', 'Observation?_count=20', 'Observation?_summary=true', 'Observation?_total=accurate', 'Patient?_text=a', 'Patient?colour=red', 'Patient?_filter=a',
  ]) {
    for (const post of [false, true]) {
      const r = await asked([['_typeFilter', 'Patient?gender=male'], ['_typeFilter', bad]], { post })
      assert.equal(r.status, 400, `${bad}: ${r.text}`)
      assert.match(r.body.issue[0].expression[0], /^_typeFilter\[1\]/, r.text)
      assert.ok(r.body.issue[0].diagnostics)
    }
  }
  const whole = await exported([['_type', 'Observation']])
  const r = await exported([['_type', 'Observation'], ['_typeFilter', 'Observation?status=none'], ['_typeFilter', 'Observation?subject.name=a'], ['allowPartialManifests', 'true'], ['organizeOutputBy', 'Patient']], { headers: lenient })
  assert.deepEqual(r.ids, whole.ids)
  assert.deepEqual(r.errors.map((e) => e.issue[0].diagnostics).sort(), ['ignored: _typeFilter=Observation', 'ignored: allowPartialManifests', 'ignored: organizeOutputBy'])
  assert.deepEqual(whole.manifest.error, [])
  for (const name of ['allowPartialManifests', 'organizeOutputBy', 'patient', 'includeAssociatedData', 'colour']) {
    const refused = await asked([[name, 'a']])
    assert.equal(refused.status, 400, name)
    assert.ok(refused.body.issue[0].diagnostics.includes(name), refused.text)
  }
})

test('_elements leaves what must be there and what is asked for, and says that it is a part', async () => {
  const { lines } = await exported([['_type', 'Patient,Observation'], ['_elements', 'Patient.name,Observation.subject'], ['_elements', 'birthDate']], { post: true })
  const must = { Patient: ['id', 'meta', 'resourceType', 'name', 'birthDate', 'active', 'deceasedBoolean', 'deceasedDateTime', 'link'], Observation: ['id', 'meta', 'resourceType', 'status', 'code', 'subject'] }
  assert.ok(lines.some((l) => l.name) && lines.some((l) => l.subject))
  for (const l of lines) {
    assert.deepEqual(Object.keys(l).filter((k) => !must[l.resourceType].includes(k.replace(/^_/, '')) && k !== 'implicitRules' && k !== 'modifierExtension'), [], JSON.stringify(l))
    assert.ok(l.meta.tag.some((t) => t.code === 'SUBSETTED'))
    if (l.resourceType === 'Observation') assert.ok(l.status && l.code)
  }
  const r = await call(s, 'POST', '/$import', { body: JSON.stringify(lines[0]), type: 'application/fhir+ndjson' })
  assert.equal(r.body.parameter.find((p) => p.name === 'failed').valueInteger, 1, 'a part was stored over the whole')
})

test('_since and _until part time without a gap, and deletions follow the filter', async () => {
  const pause = () => new Promise((done) => setTimeout(done, 5))
  const put = (id, name) => call(s, 'PUT', `/Organization/${id}`, { body: { resourceType: 'Organization', id, name } })
  await put('bulk-a', 'Bulk early')
  await put('bulk-b', 'Bulk early')
  await put('bulk-c', 'Other early')
  await pause()
  const at = new Date().toISOString()
  await pause()
  await put('bulk-d', 'Bulk late')
  await put('bulk-a', 'Bulk late')
  for (const id of ['bulk-b', 'bulk-c']) assert.ok((await call(s, 'DELETE', `/Organization/${id}`)).status < 300)
  const own = [['_type', 'Organization'], ['_typeFilter', 'Organization?name=bulk']]
  const sorted = (set) => [...set].sort()
  for (const post of [false, true]) {
    const late = await exported([...own, ['_since', at]], { post })
    assert.deepEqual(sorted(late.ids), ['Organization/bulk-a', 'Organization/bulk-d'])
    assert.deepEqual(late.deleted.flatMap((b) => b.entry.map((e) => e.request.url)), ['Organization/bulk-b'])
    const early = await exported([...own, ['_until', at]], { post })
    assert.deepEqual(sorted(early.ids), [])
    assert.deepEqual(early.deleted, [])
    assert.deepEqual(sorted((await exported([...own, ['_until', new Date(Date.now() + 60_000).toISOString()]], { post })).ids), ['Organization/bulk-a', 'Organization/bulk-d'])
  }
  assert.equal((await asked([['_since', at], ['_until', at]])).status, 400)
  assert.equal((await asked([['_until', 'soon']])).status, 400)
})

test('an export at the level of patients has filters of their compartments only', async () => {
  const r = await exported([['_type', 'Patient,Observation'], ['_typeFilter', 'Observation?status=final'], ['_typeFilter', 'Patient?gender=female']], { at: '/Patient' })
  const want = resources.filter((x) => (x.resourceType === 'Patient' && x.gender === 'female') || (x.resourceType === 'Observation' && x.status === 'final' && x.subject?.reference?.startsWith('Patient/')))
  assert.deepEqual([...r.ids].sort(), want.map((x) => `${x.resourceType}/${x.id}`).sort())
  assert.equal((await asked([['_typeFilter', 'Organization?name=a']], { at: '/Patient' })).status, 400)
})
