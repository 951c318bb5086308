// Batches and transactions by the letter, on any server
// (https://hl7.org/fhir/R4/http.html#transaction).
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import test from 'node:test'
import { call, server } from './server.mjs'

let s
test.before(async () => { s = await server() })
test.after(() => s?.stop())

const system = 'https://yba.health/fhir/sid/test'
const organization = (key, more = {}) => ({ resourceType: 'Organization', identifier: [{ system, value: key }], name: 'A', ...more })
const person = { resourceType: 'Patient', name: [{ family: 'Lê' }] }
const observation = (subject, more = {}) => ({ resourceType: 'Observation', status: 'final', code: { text: 'a' }, subject: { reference: subject }, ...more })
const urn = () => `urn:uuid:${randomUUID()}`
const post = (resource, fullUrl, more) => ({ fullUrl, resource, request: { method: 'POST', url: resource.resourceType, ...more } })
const put = (resource, url, more) => ({ resource, request: { method: 'PUT', url: url ?? `${resource.resourceType}/${resource.id}`, ...more } })
const ask = (method, url, resource) => ({ resource, request: { method, url } })
const send = (type, entry, headers = { prefer: 'return=representation' }) => call(s, 'POST', '/', { body: { resourceType: 'Bundle', type, entry }, headers })
const make = async (resource) => (await call(s, 'POST', `/${resource.resourceType}`, { body: resource })).body
const statuses = (r) => r.body.entry.map((e) => e.response.status.slice(0, 3))
const refused = (r, ...status) => {
  assert.ok(status.includes(r.status), r.text)
  assert.equal(r.body.resourceType, 'OperationOutcome')
}

test('entries are carried out in the order of the standard and answered in their own', async () => {
  const [gone, changed, patched] = await Promise.all([1, 2, 3].map(() => make(organization(randomUUID()))))
  const key = gone.identifier[0].value
  const patch = Buffer.from('[{"op":"replace","path":"/name","value":"C"}]').toString('base64')
  const r = await send('transaction', [
    ask('GET', `Organization/${changed.id}`),
    put({ ...changed, name: 'B' }, undefined, { ifMatch: 'W/"1"' }),
    ask('PATCH', `Organization/${patched.id}`, { resourceType: 'Binary', contentType: 'application/json-patch+json', data: patch }),
    post(organization(key), urn(), { ifNoneExist: `identifier=${system}|${key}&_id:not=${gone.id}` }),
    ask('DELETE', `Organization/${gone.id}`),
    ask('GET', `Organization?identifier=${system}|${key}`),
  ])
  assert.equal(r.status, 200, r.text)
  assert.equal(r.body.type, 'transaction-response')
  assert.deepEqual(statuses(r).map((c) => c[0]), Array(6).fill('2'))
  assert.equal(r.body.entry[0].resource.name, 'B')
  assert.equal(r.body.entry[2].resource.name, 'C')
  assert.equal(r.body.entry[3].response.status.slice(0, 3), '201')
  const found = r.body.entry[5].resource.entry.map((e) => e.resource.id)
  assert.equal(found.length, 1)
  assert.notEqual(found[0], gone.id)
})

test('links between entries are replaced where the standard says, and nowhere else', async () => {
  const [patient, first, second] = [urn(), urn(), urn()]
  const r = await send('transaction', [
    post(observation(patient, {
      text: { status: 'generated', div: `<div xmlns="http://www.w3.org/1999/xhtml"><a href="${patient}">a</a> ${patient}</div>` },
      extension: [
        { url: 'https://example.org/uri', valueUri: patient }, { url: 'https://example.org/url', valueUrl: patient },
        { url: 'https://example.org/canonical', valueCanonical: patient }, { url: 'https://example.org/string', valueString: patient },
      ],
      hasMember: [{ reference: second }], derivedFrom: [{ reference: `${second}/_history/1` }], note: [{ text: patient }],
    }), first),
    post(observation(patient, { hasMember: [{ reference: first }] }), second),
    post(person, patient),
  ])
  assert.equal(r.status, 200, r.text)
  const [a, b, p] = r.body.entry.map((e) => e.resource)
  const reference = `Patient/${p.id}`
  assert.equal(a.subject.reference, reference)
  assert.deepEqual(a.extension.map((e) => e.valueUri ?? e.valueUrl ?? e.valueCanonical ?? e.valueString), [reference, reference, patient, patient])
  assert.ok(a.text.div.includes(`<a href="${reference}">a</a> ${patient}`))
  assert.equal(a.note[0].text, patient)
  assert.equal(a.hasMember[0].reference, `Observation/${b.id}`)
  assert.equal(a.derivedFrom[0].reference, `Observation/${b.id}/_history/1`)
  assert.equal(b.hasMember[0].reference, `Observation/${a.id}`)
})

test('an entry is found by its whole address and by one relative to the same server', async () => {
  for (const server of ['http://example.org/fhir', s.base]) {
    const id = randomUUID()
    const r = await send('transaction', [
      post({ ...person, id }, `${server}/Patient/${id}`), post(observation(`Patient/${id}`), `${server}/Observation/${id}`), post(observation(`${server}/Patient/${id}`), urn()),
    ])
    assert.equal(r.status, 200, r.text)
    for (const i of [1, 2]) assert.equal(r.body.entry[i].resource.subject.reference, `Patient/${r.body.entry[0].resource.id}`)
  }
})

test('a transaction that cannot be whole is refused, and nothing of it is stored', async () => {
  const made = await make(organization(randomUUID()))
  const same = (name) => put({ ...made, name })
  for (const [entries, ...status] of [
    [[same('1'), same('2')], 400], // the same resource twice
    [[same('1'), ask('DELETE', `Organization/${made.id}`)], 400],
    [[same('1'), put(organization(made.identifier[0].value, { name: '2' }), `Organization?identifier=${system}|${made.identifier[0].value}`)], 400],
    [[post(person, 'urn:uuid:1'), post(person, 'urn:uuid:1')], 400],
    [[post(observation(urn()), urn())], 400, 422],
    [[post(observation(urn()))], 400, 422],
    [[post(person, urn()), post(observation(`Patient?identifier=${system}|${randomUUID()}`), urn())], 400, 404, 412, 422],
    // a condition that another entry meets, too
    [[post(organization('a-' + made.id)), put(organization('a-' + made.id), `Organization?identifier=${system}|a-${made.id}`)], 400, 412],
    [[post(organization('a-' + made.id), undefined, { ifNoneExist: `identifier=a-${made.id}` }), post(organization('a-' + made.id))], 400, 412],
    [[put({ ...made, name: '2' }, `Organization?identifier=${made.identifier[0].value}`), put({ ...made, id: randomUUID() })], 400, 412],
    [[put({ ...made, name: '1' }, undefined, { ifMatch: 'W/"7"' })], 400, 412],
    [[put({ ...made, name: '1' }, undefined, { ifNoneMatch: '*' })], 400, 412],
    [[put({ ...made, id: 'x1' }, `Organization/${made.id}`)], 400, 422],
    [[post(person, urn(), { url: 'Organization' })], 400, 422],
    [[{ resource: person }], 400, 422],
  ]) {
    const key = randomUUID()
    const r = await send('transaction', [post(organization(key), urn()), ...entries])
    refused(r, ...status)
    assert.match(JSON.stringify(r.body.issue), /Bundle\.entry\[[12]\]/, r.text)
    assert.equal((await call(s, 'GET', `/Organization?identifier=${system}|${key}&_summary=count`)).body.total, 0)
  }
})

test('a conditional create is asked for what the deletes of its transaction leave', async () => {
  for (const by of ['id', 'condition']) {
    const key = randomUUID()
    const gone = await make(organization(key))
    const link = urn()
    const r = await send('transaction', [
      post({ resourceType: 'Location', name: 'B', managingOrganization: { reference: link } }, urn()),
      post(organization(key, { name: 'new' }), link, { ifNoneExist: `identifier=${system}|${key}` }),
      ask('DELETE', by === 'id' ? `Organization/${gone.id}` : `Organization?identifier=${system}|${key}`),
    ])
    assert.equal(r.status, 200, r.text)
    assert.equal(statuses(r)[1], '201', by)
    assert.equal(r.body.entry[0].resource.managingOrganization.reference, `Organization/${r.body.entry[1].resource.id}`)
    const left = (await call(s, 'GET', `/Organization?identifier=${system}|${key}`)).body.entry
    assert.deepEqual(left.map((e) => e.resource.name), ['new'])
  }
})

test('an entry that is misspelt is refused, and carried out by nobody', async () => {
  for (const more of [{ ifNoneExsist: 'identifier=a' }, { ifnonematch: '*' }, { ifMatch: 1 }, { ifModifiedSince: 'yesterday' }]) {
    const key = randomUUID()
    const bad = post(organization(key), urn(), more)
    const whole = await send('transaction', [post(organization(key)), bad])
    refused(whole, 400, 422)
    assert.match(JSON.stringify(whole.body.issue), /Bundle\.entry\[1\]\.request\./, whole.text)
    const each = await send('batch', [bad, { ...bad, request: { method: 'POST', url: 'Organization' }, resorce: {} }, ask('GET', 'Organization?_count=1')])
    assert.deepEqual(statuses(each), ['400', '400', '200'])
    assert.equal((await call(s, 'GET', `/Organization?identifier=${system}|${key}&_summary=count`)).body.total, 0)
  }
})

test('a batch carries out each entry for itself', async () => {
  const made = await make(organization(randomUUID()))
  const link = urn()
  const r = await send('batch', [
    ask('GET', `Organization/${made.id}`), ask('GET', `Organization/${made.id}?_elements=name`), ask('GET', `Organization/${made.id}/_history/1`),
    ask('GET', `Organization/${made.id}/_history`), ask('GET', `${s.base}/Organization/${made.id}`), ask('HEAD', `Organization/${made.id}`),
    { request: { method: 'GET', url: `Organization/${made.id}`, ifNoneMatch: 'W/"1"' } },
    ask('GET', 'Organization?_count=1'), ask('GET', 'Organization?nonsense=1'), ask('GET', `Organization/${randomUUID()}`),
    post(person, link), post(observation(link), urn()), { request: {} },
  ])
  assert.equal(r.status, 200, r.text)
  assert.deepEqual(statuses(r), ['200', '200', '200', '200', '200', '200', '304', '200', '400', '404', '201', '422', '400'])
  assert.equal(r.body.entry[5].resource, undefined)
  assert.equal(r.body.entry[7].resource.entry.length, 1)
  assert.ok(r.body.entry[7].resource.link.some((l) => l.relation === 'next'))
  for (const i of [8, 9, 11, 12]) assert.equal(r.body.entry[i].response.outcome.resourceType, 'OperationOutcome')
})

test('operations that read may stand in a batch', async () => {
  const patient = await make(person)
  const of = `Patient/${patient.id}`
  await make(observation(of, { effectiveDateTime: '2026-01-02' }))
  const gender = 'http://hl7.org/fhir/administrative-gender'
  const r = await send('batch', [
    ask('GET', `${of}/$everything`), ask('GET', `${of}/$meta`), ask('GET', `Observation/$lastn?patient=${patient.id}`),
    ask('POST', 'Patient/$validate', { resourceType: 'Parameters', parameter: [{ name: 'resource', resource: person }] }),
    ask('GET', 'ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/administrative-gender&filter=fem'),
    ask('GET', `CodeSystem/$lookup?system=${gender}&code=male`),
    ask('POST', 'ValueSet/$validate-code', { resourceType: 'Parameters', parameter: [{ name: 'url', valueUri: 'http://hl7.org/fhir/ValueSet/administrative-gender' }, { name: 'system', valueUri: gender }, { name: 'code', valueCode: 'male' }] }),
    ask('POST', 'Patient/$match', { resourceType: 'Parameters', parameter: [{ name: 'resource', resource: person }] }),
  ])
  assert.deepEqual(statuses(r), Array(8).fill('200'), r.text)
  assert.deepEqual(r.body.entry.map((e) => e.resource.resourceType), ['Bundle', 'Parameters', 'Bundle', 'OperationOutcome', 'ValueSet', 'Parameters', 'Parameters', 'Bundle'])
})

test('a Bundle may have 5,000 entries, and no more', async () => {
  if (!s.own) return
  const list = (n) => Array.from({ length: n }, () => ask('HEAD', 'metadata'))
  const whole = await send('batch', list(5000))
  assert.equal(whole.body.entry.length, 5000)
  refused(await send('batch', list(5001)), 413)
})
