// Real clients drive the server: fhir-kit-client and SMART's fhirclient.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import test from 'node:test'
import { Client } from 'fhir-kit-client'
import smart from 'fhirclient'
import { server } from './server.mjs'

let s
test.before(async () => { s = await server() })
test.after(() => s?.stop())

const kit = () => new Client({ baseUrl: s.base, bearerToken: s.token })
const person = (family, given) => ({ resourceType: 'Patient', name: [{ text: `${family} ${given}`, family, given: [given] }], birthDate: '1990-05-17' })
const pulse = (patient, value, day) => ({
  resourceType: 'Observation', status: 'final', code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] }, subject: { reference: `Patient/${patient}` },
  effectiveDateTime: `2026-01-${String(day).padStart(2, '0')}`, valueQuantity: { value, unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
})

test('fhir-kit-client creates, reads, updates, lists versions and deletes', async () => {
  const c = kit()
  const made = await c.create({ resourceType: 'Patient', body: person('Lê', 'Bình') })
  assert.match(made.id, /^[A-Za-z0-9.-]{1,64}$/)
  assert.equal(made.meta.versionId, '1')
  const changed = await c.update({ resourceType: 'Patient', id: made.id, body: { ...made, birthDate: '1991-01-02' } })
  assert.equal(changed.meta.versionId, '2')
  assert.equal((await c.read({ resourceType: 'Patient', id: made.id })).birthDate, '1991-01-02')
  assert.equal((await c.vread({ resourceType: 'Patient', id: made.id, version: '1' })).birthDate, '1990-05-17')
  const patched = await c.patch({ resourceType: 'Patient', id: made.id, jsonPatch: [{ op: 'replace', path: '/birthDate', value: '1992-02-02' }] })
  assert.equal(patched.birthDate, '1992-02-02')
  assert.equal((await c.history({ resourceType: 'Patient', id: made.id })).entry.length, 3)
  await c.delete({ resourceType: 'Patient', id: made.id })
  await assert.rejects(c.read({ resourceType: 'Patient', id: made.id }), (e) => (e.response?.status ?? e.status) === 410)
})

test('fhir-kit-client sends a transaction and pages through what it made', async () => {
  const c = kit()
  const urn = 'urn:uuid:0c3f1f8e-6a51-4f0e-9f5c-2b4f3a3d1a01'
  const entry = [{ fullUrl: urn, resource: person('Phạm', 'Thảo'), request: { method: 'POST', url: 'Patient' } }]
  for (let day = 1; day <= 25; day++) {
    const resource = pulse('x', 60 + day, day)
    resource.subject.reference = urn
    entry.push({ resource, request: { method: 'POST', url: 'Observation' } })
  }
  const answer = await c.transaction({ body: { resourceType: 'Bundle', type: 'transaction', entry } })
  assert.equal(answer.type, 'transaction-response')
  assert.ok(answer.entry.every((e) => e.response.status.startsWith('201')))
  const id = answer.entry[0].response.location.split('/').at(-3)
  let page = await c.search({ resourceType: 'Observation', searchParams: { patient: id, code: 'http://loinc.org|8867-4', _sort: '-date', _count: '10' } })
  const days = []
  let pages = 0
  while (page) {
    pages++
    days.push(...page.entry.map((e) => e.resource.effectiveDateTime))
    page = await c.nextPage({ bundle: page })
  }
  assert.equal(pages, 3)
  assert.deepEqual(days, Array.from({ length: 25 }, (_, i) => `2026-01-${String(25 - i).padStart(2, '0')}`))
  const found = await c.search({ resourceType: 'Patient', searchParams: { name: 'pham thao', _id: id }, options: { postSearch: true } })
  assert.equal(found.entry.length, 1)
  const everything = await c.operation({ resourceType: 'Patient', id, name: 'everything', method: 'GET' })
  assert.equal(everything.entry.length, 26)
})

test('fhir-kit-client searches a compartment and sends a batch', async () => {
  const c = kit()
  const made = await c.create({ resourceType: 'Patient', body: person('Đỗ', 'Khang') })
  await c.create({ resourceType: 'Observation', body: pulse(made.id, 71, 3) })
  const found = await c.search({ resourceType: 'Observation', compartment: { resourceType: 'Patient', id: made.id }, searchParams: { code: '8867-4' } })
  assert.equal(found.entry.length, 1)
  const answer = await c.batch({ body: { resourceType: 'Bundle', type: 'batch', entry: [
    { request: { method: 'GET', url: `Patient/${made.id}` } }, { request: { method: 'GET', url: 'Patient/nobody-here' } },
  ] } })
  assert.equal(answer.entry[0].resource.id, made.id)
  assert.match(answer.entry[1].response.status, /^40[34]/)
})

test('SMART clients find the endpoints both ways', async () => {
  const wellKnown = await new Client({ baseUrl: s.base }).smartAuthMetadata()
  assert.equal(new URL(wellKnown.authorizeUrl).origin, new URL(s.base).origin)
  assert.ok(String(wellKnown.tokenUrl).endsWith('/oauth/token'))
  const metadata = await kit().capabilityStatement()
  assert.equal(metadata.fhirVersion, '4.0.1')
  const uris = metadata.rest[0].security.extension[0].extension.map((e) => e.valueUri)
  assert.deepEqual(uris, [String(wellKnown.authorizeUrl), String(wellKnown.tokenUrl)])
})

test('fhirclient reads, searches over all pages and starts an authorization', async () => {
  const made = await kit().create({ resourceType: 'Patient', body: person('Vũ', 'An') })
  for (let day = 1; day <= 5; day++) await kit().create({ resourceType: 'Observation', body: pulse(made.id, 60, day) })
  // fhirclient for Node works within a request of an app of its own.
  const answers = await within(async (request, response) => {
    const client = smart(request, response, memory()).client({ serverUrl: s.base, tokenResponse: { access_token: s.token, patient: made.id } })
    const patient = await client.patient.read()
    const pages = await client.request(`Observation?patient=${made.id}&_count=2`, { pageLimit: 0, flat: true })
    return { patient, pages }
  })
  assert.equal(answers.patient.name[0].family, 'Vũ')
  assert.equal(answers.pages.length, 5)
  const where = await within(async (request, response) => ({
    url: await smart(request, response, memory()).authorize({ iss: s.base, clientId: 'an-app', scope: 'openid', redirectUri: '/back', noRedirect: true }),
  }))
  const url = new URL(where.url)
  assert.equal(url.pathname, '/oauth/authorize')
  assert.equal(url.searchParams.get('code_challenge_method'), 'S256')
})

// memory keeps what fhirclient remembers between requests.
function memory() {
  const kept = new Map()
  return { get: async (k) => kept.get(k), set: async (k, v) => { kept.set(k, v); return v }, unset: async (k) => kept.delete(k) }
}

// within runs f in a request to a small app and returns what it answered.
async function within(f) {
  const app = createServer((request, response) => {
    f(request, response).then((v) => response.end(JSON.stringify(v)), (e) => { response.statusCode = 500; response.end(JSON.stringify({ error: String(e) })) })
  })
  await new Promise((r) => app.listen(0, '127.0.0.1', r))
  try {
    const answer = await (await fetch(`http://127.0.0.1:${app.address().port}/`)).json()
    assert.equal(answer.error, undefined)
    return answer
  } finally {
    app.close()
  }
}
