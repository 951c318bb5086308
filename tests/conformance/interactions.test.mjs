// FHIR's REST interactions by the letter, on any server
// (https://hl7.org/fhir/R4/http.html).
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import test from 'node:test'
import { call, server } from './server.mjs'

let s
test.before(async () => { s = await server() })
test.after(() => s?.stop())

const system = 'https://yba.health/fhir/sid/test'
const organization = (key, name = 'Trạm Y tế') => ({ resourceType: 'Organization', identifier: [{ system, value: key }], name })
const outcome = (r, status) => {
  assert.equal(r.status, status, r.text)
  assert.equal(r.body?.resourceType, 'OperationOutcome')
}
const make = async (body) => {
  const r = await call(s, 'POST', `/${body.resourceType}`, { body })
  assert.equal(r.status, 201, r.text)
  return r.body
}
const json = 'application/json-patch+json'

test('create answers with the version in its headers, as the client prefers', async () => {
  const r = await call(s, 'POST', '/Organization', { body: organization(randomUUID()) })
  assert.equal(r.status, 201)
  assert.equal(r.headers.get('etag'), 'W/"1"')
  assert.match(r.headers.get('location'), /\/Organization\/[^/]+\/_history\/1$/)
  assert.ok(Date.parse(r.headers.get('last-modified')))
  const minimal = await call(s, 'POST', '/Organization', { body: organization(randomUUID()), headers: { prefer: 'return=minimal' } })
  assert.equal(minimal.status, 201)
  assert.equal(minimal.text, '')
  const told = await call(s, 'POST', '/Organization', { body: organization(randomUUID()), headers: { prefer: 'return=OperationOutcome' } })
  assert.equal(told.body.resourceType, 'OperationOutcome')
})

test('an unchanged update makes no version; If-Match decides between writers', async () => {
  const made = await make(organization(randomUUID()))
  const path = `/Organization/${made.id}`
  const same = await call(s, 'PUT', path, { body: made })
  assert.equal(same.headers.get('etag'), 'W/"1"')
  const second = await call(s, 'PUT', path, { body: { ...made, name: 'B' }, headers: { 'if-match': 'W/"1"' } })
  assert.equal(second.headers.get('etag'), 'W/"2"')
  outcome(await call(s, 'PUT', path, { body: { ...made, name: 'C' }, headers: { 'if-match': 'W/"1"' } }), 412)
  const race = await Promise.all(Array.from({ length: 20 }, (_, i) => call(s, 'PUT', path, { body: { ...made, name: `R${i}` }, headers: { 'if-match': 'W/"2"' } })))
  assert.deepEqual(race.map((r) => r.status).sort(), [200, ...Array(19).fill(412)])
})

test('a read may be conditional', async () => {
  const made = await make(organization(randomUUID()))
  const path = `/Organization/${made.id}`
  assert.equal((await call(s, 'GET', path, { headers: { 'if-none-match': 'W/"1"' } })).status, 304)
  const seen = await call(s, 'GET', path)
  assert.equal((await call(s, 'GET', path, { headers: { 'if-modified-since': seen.headers.get('last-modified') } })).status, 304)
  assert.equal((await call(s, 'GET', path, { headers: { 'if-modified-since': 'Mon, 01 Jan 2001 00:00:00 GMT' } })).status, 200)
  const head = await call(s, 'HEAD', path)
  assert.equal(head.status, 200)
  assert.equal(head.text, '')
})

test('fifty parallel conditional creates make one resource', async () => {
  const key = randomUUID()
  const all = await Promise.all(Array.from({ length: 50 }, () => call(s, 'POST', '/Organization', { body: organization(key), headers: { 'if-none-exist': `identifier=${system}|${key}` } })))
  assert.deepEqual(all.map((r) => r.status).sort(), [...Array(49).fill(200), 201])
  assert.equal(new Set(all.map((r) => r.body.id)).size, 1)
})

test('fifty parallel conditional updates make one resource', async () => {
  const key = randomUUID()
  const all = await Promise.all(Array.from({ length: 50 }, (_, i) => call(s, 'PUT', `/Organization?identifier=${system}|${key}`, { body: organization(key, `N${i}`) })))
  assert.equal(all.filter((r) => r.status === 201).length, 1)
  assert.equal(all.filter((r) => r.status === 200).length, 49)
  assert.equal((await call(s, 'GET', `/Organization?identifier=${system}|${key}&_summary=count`)).body.total, 1)
})

test('a PUT with If-None-Match: * only creates', async () => {
  const id = randomUUID()
  const body = { ...organization(id), id }
  const options = { body, headers: { 'if-none-match': '*' } }
  assert.equal((await call(s, 'PUT', `/Organization/${id}`, options)).status, 201)
  outcome(await call(s, 'PUT', `/Organization/${id}`, options), 412)
})

test('what was deleted is gone, and its history stays', async () => {
  const made = await make(organization(randomUUID()))
  const path = `/Organization/${made.id}`
  assert.equal((await call(s, 'DELETE', path)).status, 204)
  outcome(await call(s, 'GET', path), 410)
  const h = await call(s, 'GET', `${path}/_history`)
  assert.deepEqual(h.body.entry.map((e) => e.request.method), ['DELETE', 'POST'])
  outcome(await call(s, 'GET', `${path}/_history/2`), 410)
  assert.equal((await call(s, 'GET', `${path}/_history/1`)).status, 200)
})

test('conditional deletes delete one, and several only where that is offered', async () => {
  const key = randomUUID()
  await make(organization(key))
  await make(organization(key))
  const several = await call(s, 'DELETE', `/Organization?identifier=${system}|${key}`)
  const left = (await call(s, 'GET', `/Organization?identifier=${system}|${key}&_summary=count`)).body.total
  assert.ok((several.status === 412 && left === 2) || (several.status < 300 && left === 0), `${several.status}, ${left} left`)
})

test('patches change what they name and nothing else', async () => {
  const made = await make({ ...organization(randomUUID()), extension: [{ url: 'https://example.org/e', valueDecimal: 1 }] })
  const raw = (await call(s, 'GET', `/Organization/${made.id}`)).text
  const r = await call(s, 'PATCH', `/Organization/${made.id}`, { type: json, body: [{ op: 'test', path: '/name', value: 'Trạm Y tế' }, { op: 'replace', path: '/name', value: 'Trạm Y tế xã' }] })
  assert.equal(r.status, 200, r.text)
  const plain = (t) => t.replace(/"meta":\{[^}]*\}/, '')
  assert.equal(plain(r.text), plain(raw).replace('"Trạm Y tế"', '"Trạm Y tế xã"'))
  const fhirpath = { resourceType: 'Parameters', parameter: [{ name: 'operation', part: [{ name: 'type', valueCode: 'add' }, { name: 'path', valueString: 'Organization' }, { name: 'name', valueString: 'active' }, { name: 'value', valueBoolean: true }] }] }
  const added = await call(s, 'PATCH', `/Organization/${made.id}`, { body: fhirpath })
  assert.equal(added.body.active, true)
  assert.ok((await call(s, 'PATCH', `/Organization/${made.id}`, { type: json, body: [{ op: 'remove', path: '/nothing' }] })).status >= 400)
})

test('a transaction is whole or not at all, and names the entry that fails', async () => {
  const key = randomUUID()
  const entry = [
    { fullUrl: 'urn:uuid:0c3f1f8e-6a51-4f0e-9f5c-2b4f3a3d1b01', resource: organization(key), request: { method: 'POST', url: 'Organization' } },
    { resource: { resourceType: 'Location', status: 'somewhere' }, request: { method: 'POST', url: 'Location' } },
  ]
  const r = await call(s, 'POST', '/', { body: { resourceType: 'Bundle', type: 'transaction', entry } })
  assert.ok(r.status === 400 || r.status === 422, r.text)
  assert.match(JSON.stringify(r.body.issue), /Bundle\.entry\[1\]/)
  assert.equal((await call(s, 'GET', `/Organization?identifier=${system}|${key}&_summary=count`)).body.total, 0)
})

test('references in a transaction resolve to its entries and to what a condition finds', async () => {
  const key = randomUUID()
  await make(organization(key))
  const urn = `urn:uuid:${randomUUID()}`
  const entry = [
    { fullUrl: urn, resource: { resourceType: 'Location', name: 'A', managingOrganization: { reference: `Organization?identifier=${system}|${key}` } }, request: { method: 'POST', url: 'Location' } },
    { resource: { resourceType: 'Location', name: 'B', partOf: { reference: urn } }, request: { method: 'POST', url: 'Location' } },
    { request: { method: 'GET', url: `Organization?identifier=${system}|${key}` } },
  ]
  const r = await call(s, 'POST', '/', { body: { resourceType: 'Bundle', type: 'transaction', entry }, headers: { prefer: 'return=representation' } })
  assert.equal(r.status, 200, r.text)
  const [a, b] = await Promise.all(r.body.entry.slice(0, 2).map(async (e) => (await call(s, 'GET', `/${e.response.location.replace(/^.*\/fhir\/R4\//, '').split('/_history')[0]}`)).body))
  assert.match(a.managingOrganization.reference, /^Organization\/[^?]+$/)
  assert.equal(b.partOf.reference, `Location/${a.id}`)
  assert.equal(r.body.entry[2].resource.entry.length, 1)
})

test('an absolute reference to this server is one to what is here', async () => {
  const [patient, o] = [await make({ resourceType: 'Patient' }), await make(organization(randomUUID()))]
  const seen = await make({ resourceType: 'Observation', status: 'final', code: { text: 'a' }, subject: { reference: `${s.base}/Patient/${patient.id}` } })
  assert.deepEqual((await call(s, 'GET', `/Observation?subject=Patient/${patient.id}`)).body.entry.map((e) => e.resource.id), [seen.id])
  const escaped = JSON.stringify({ ...organization(randomUUID()), partOf: { reference: `${s.base}/Organization/${o.id}` } }).replaceAll('/', '\\/')
  assert.equal((await call(s, 'POST', '/Organization', { body: escaped })).status, 201)
  outcome(await call(s, 'DELETE', `/Organization/${o.id}`), 409)
  const absent = await call(s, 'POST', '/Organization', { body: { ...organization(randomUUID()), partOf: { reference: `${s.base}/Organization/${randomUUID()}` } } })
  assert.ok([400, 422].includes(absent.status), absent.text)
  const elsewhere = 'https://example.org/fhir/Organization/1'
  assert.equal((await make({ ...organization(randomUUID()), partOf: { reference: elsewhere } })).partOf.reference, elsewhere)
})

test('a relative reference that can lead to nothing is refused with its place', async () => {
  const o = await make(organization(randomUUID()))
  const refer = (reference) => call(s, 'POST', '/Organization', { body: { ...organization(randomUUID()), partOf: { reference } } })
  for (const bad of [`/Organization/${o.id}`, `Organization/${o.id}/`, `../Organization/${o.id}`, o.id, `organization/${o.id}`, 'Nothing/1', `Organization/${o.id}/more`, `Organization/${o.id}/_history/a_b`, `Organization/${o.id}#part`, 'Nothing?a=b']) {
    const r = await refer(bad)
    assert.ok([400, 422].includes(r.status), `${bad}: ${r.text}`)
    assert.match(JSON.stringify(r.body.issue), /Organization\.partOf/, bad)
  }
  for (const good of [`Organization/${o.id}`, `Organization/${o.id}/_history/1`, `urn:uuid:${randomUUID()}`, 'urn:oid:1.2.3', 'https://example.org/x']) assert.equal((await refer(good)).status, 201, good)
  const nobody = await call(s, 'POST', '/Observation', { body: { resourceType: 'Observation', status: 'final', code: { text: 'a' }, subject: { reference: `Patient/${randomUUID()}` } } })
  assert.match(JSON.stringify(nobody.body.issue), /Observation\.subject/)
})

test('a batch answers entry by entry', async () => {
  const entry = [
    { resource: organization(randomUUID()), request: { method: 'POST', url: 'Organization' } },
    { resource: { resourceType: 'Organization', nothing: 1 }, request: { method: 'POST', url: 'Organization' } },
    { request: { method: 'GET', url: 'Organization?_count=1' } },
  ]
  const r = await call(s, 'POST', '/', { body: { resourceType: 'Bundle', type: 'batch', entry } })
  assert.deepEqual(r.body.entry.map((e) => e.response.status.slice(0, 1)), ['2', '4', '2'])
  assert.equal(r.body.entry[1].response.outcome.resourceType, 'OperationOutcome')
})

test('bad input is told where it is', async () => {
  outcome(await call(s, 'POST', '/Patient', { body: '{"resourceType":"Patient","birthDate":"1984-02-30"}' }), 400)
  const bound = await call(s, 'POST', '/Patient', { body: { resourceType: 'Patient', gender: 'robot' } })
  assert.ok(bound.status === 400 || bound.status === 422, bound.text)
  assert.match(JSON.stringify(bound.body.issue), /Patient\.gender/)
  outcome(await call(s, 'GET', '/Patient?nonsense=1'), 400)
  assert.equal((await call(s, 'GET', '/Patient?nonsense=1', { headers: { prefer: 'handling=lenient' } })).status, 200)
  outcome(await call(s, 'GET', '/Nothing/1'), 404)
  outcome(await call(s, 'POST', '/Patient', { body: '<Patient/>', type: 'application/fhir+xml' }), 415)
})

test('a page stays where it was while others write', async () => {
  const key = randomUUID()
  for (let i = 0; i < 6; i++) await make(organization(key, `T${i}`))
  const first = await call(s, 'GET', `/Organization?identifier=${system}|${key}&_sort=name&_count=3`)
  assert.deepEqual(first.body.entry.map((e) => e.resource.name), ['T0', 'T1', 'T2'])
  await make(organization(key, 'S'))
  const second = await call(s, 'GET', first.body.link.find((l) => l.relation === 'next').url)
  assert.deepEqual(second.body.entry.map((e) => e.resource.name), ['T3', 'T4', 'T5'])
})

test('_summary and _elements give parts of resources and say so', async () => {
  const key = randomUUID()
  await make({ ...organization(key), text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">A</div>' }, telecom: [{ system: 'phone', value: '1' }] })
  const find = async (more) => (await call(s, 'GET', `/Organization?identifier=${system}|${key}&${more}`)).body.entry[0].resource
  const summary = await find('_summary=true')
  assert.ok(summary.name && !summary.text && !summary.telecom)
  assert.ok(summary.meta.tag.some((t) => t.code === 'SUBSETTED'))
  const elements = await find('_elements=telecom')
  assert.ok(elements.telecom && !elements.name)
  assert.ok((await find('_summary=text')).text)
  assert.ok(!(await find('_summary=data')).text)
})

test('the CapabilityStatement and the OpenAPI document name the same paths', async () => {
  const statement = (await call(s, 'GET', '/metadata')).body
  assert.equal(statement.fhirVersion, '4.0.1')
  const patient = statement.rest[0].resource.find((r) => r.type === 'Patient')
  for (const code of ['read', 'vread', 'update', 'patch', 'delete', 'history-instance', 'create', 'search-type']) assert.ok(patient.interaction.some((i) => i.code === code), code)
  assert.ok(patient.searchParam.some((p) => p.name === 'birthdate' && p.type === 'date'))
  if (!s.own) return
  const api = (await call(s, 'GET', '/openapi.json')).body
  assert.ok(api.paths['/{type}/{id}'].patch)
})
