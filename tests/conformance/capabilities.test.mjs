// The server does what it says of itself, and says what it does: every claim of
// the CapabilityStatement and every address of the OpenAPI document is tried
// (https://hl7.org/fhir/R4/capabilitystatement.html).
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import test from 'node:test'
import { call, server } from './server.mjs'

let s
let rest
test.before(async () => {
  s = await server()
  rest = (await call(s, 'GET', '/metadata')).body.rest[0]
})
test.after(() => s?.stop())

// each tries things a few at a time and tells all that went wrong.
async function each(list, attempt) {
  const wrong = []
  const queue = list.values()
  await Promise.all(Array.from({ length: 4 }, async () => {
    for (const x of queue) {
      const told = await attempt(x)
      if (told) wrong.push(told)
    }
  }))
  assert.deepEqual(wrong.slice(0, 20), [], `${wrong.length} of ${list.length}`)
  assert.ok(list.length > 0)
}

// served reports whether an answer is the interaction's own, be it a refusal.
const served = (r) => r.status !== 405 && r.status !== 501 && r.status < 500 && !(r.status === 404 && /address/.test(r.text))

const value = {
  string: 'a', token: 'a', reference: 'Patient/1', date: '2026', number: '1', quantity: '1', uri: 'http://example.org/a', composite: 'a$a', special: '1',
}
// components of a composite are of its own types.
const composites = ['a$a', 'a$2026', 'a$1', 'Patient/1$a', '1$1', 'a$http://example.org', 'http://example.org$a', '2026$a', 'a$Patient/1', 'Patient/1$Patient/1', 'a$1$1', 'Patient/1$1$1']

test('every search parameter that is claimed can be asked for', async () => {
  const list = rest.resource.flatMap((r) => (r.searchParam ?? []).map((p) => [r.type, p]))
  await each(list, async ([type, p]) => {
    const ask = (v) => call(s, 'GET', `/${type}?${p.name}=${encodeURIComponent(v)}&_summary=count`)
    for (const v of p.type === 'composite' ? composites : [value[p.type]]) if ((await ask(v)).status === 200) return undefined
    return `${type}?${p.name} (${p.type}): ${(await ask(value[p.type])).text.slice(0, 200)}`
  })
})

test('every inclusion that is claimed can be asked for', async () => {
  const list = rest.resource.flatMap((r) => [...(r.searchInclude ?? []).map((v) => [r.type, '_include', v]), ...(r.searchRevInclude ?? []).map((v) => [r.type, '_revinclude', v])])
  assert.ok(list.some((l) => l[1] === '_revinclude'))
  await each(list, async ([type, name, v]) => {
    const r = await call(s, 'GET', `/${type}?_id=none&${name}=${encodeURIComponent(v)}`)
    return r.status === 200 ? undefined : `${type}?${name}=${v}: ${r.text.slice(0, 200)}`
  })
})

test('every interaction that is claimed is served', async () => {
  const id = randomUUID()
  const requests = {
    read: (t) => ['GET', `/${t}/${id}`], vread: (t) => ['GET', `/${t}/${id}/_history/1`], 'history-instance': (t) => ['GET', `/${t}/${id}/_history`],
    'history-type': (t) => ['GET', `/${t}/_history?_count=1`], 'search-type': (t) => ['GET', `/${t}?_id=none`], create: (t) => ['POST', `/${t}`, {}],
    update: (t) => ['PUT', `/${t}/${id}`, {}], patch: (t) => ['PATCH', `/${t}/${id}`, { resourceType: 'Parameters' }], delete: (t) => ['DELETE', `/${t}/${id}`],
    'history-system': () => ['GET', '/_history?_count=1'], 'search-system': () => ['GET', '/?_type=Basic&_id=none'],
    transaction: () => ['POST', '/', { resourceType: 'Bundle', type: 'transaction' }], batch: () => ['POST', '/', { resourceType: 'Bundle', type: 'batch' }],
  }
  const list = [...rest.resource.flatMap((r) => r.interaction.map((i) => [i.code, r.type])), ...rest.interaction.map((i) => [i.code, ''])]
  await each(list, async ([code, type]) => {
    assert.ok(requests[code], code)
    const [method, path, body] = requests[code](type)
    const r = await call(s, method, path, { body })
    return served(r) ? undefined : `${code} of ${type}: ${r.status} ${r.text.slice(0, 200)}`
  })
})

test('every operation that is claimed is served, by GET or POST, on the type or a resource', async () => {
  const list = [...rest.resource.flatMap((r) => (r.operation ?? []).map((o) => [`/${r.type}`, o])), ...(rest.operation ?? []).map((o) => ['', o])]
  await each(list, async ([at, o]) => {
    const ways = [['GET', `${at}/$${o.name}`], ['POST', `${at}/$${o.name}`], ['GET', `${at}/${randomUUID()}/$${o.name}`], ['POST', `${at}/${randomUUID()}/$${o.name}`]]
    assert.match(o.definition, /^https?:\/\//)
    if (o.name === 'export') return undefined // begins work
    for (const [method, path] of ways) {
      const r = await call(s, method, path, method === 'POST' ? { body: { resourceType: 'Parameters' } } : {})
      if (served(r)) return undefined
    }
    return `${at}/$${o.name}`
  })
})

test('conditions and patch formats are what is claimed', async () => {
  const r = rest.resource.find((x) => x.type === 'Organization')
  const key = `identifier=https://example.org|${randomUUID()}`
  const body = { resourceType: 'Organization', name: 'A', identifier: [{ system: 'https://example.org', value: key.split('|')[1] }] }
  assert.equal((await call(s, 'POST', '/Organization', { body, headers: { 'if-none-exist': key } })).status, r.conditionalCreate ? 201 : 412)
  if (r.conditionalUpdate) assert.equal((await call(s, 'PUT', `/Organization?${key}`, { body })).status, 200)
  const id = (await call(s, 'GET', `/Organization?${key}`)).body.entry[0].resource.id
  if (r.conditionalRead === 'full-support') assert.equal((await call(s, 'GET', `/Organization/${id}`, { headers: { 'if-none-match': '*' } })).status, 304)
  if (r.updateCreate) assert.equal((await call(s, 'PUT', `/Organization/${randomUUID()}`, { body: { ...body, id: 'x' } })).status, 400)
  const { patchFormat = [], format } = (await call(s, 'GET', '/metadata')).body
  for (const type of patchFormat) assert.equal((await call(s, 'PATCH', `/Organization/${id}`, { body: type.includes('patch') ? [] : { resourceType: 'Parameters' }, type })).status, 200, type)
  for (const f of format) assert.equal((await call(s, 'GET', `/Organization/${id}?_format=${encodeURIComponent(f)}`)).status, 200, f)
  if (r.conditionalDelete !== 'not-supported') assert.ok((await call(s, 'DELETE', `/Organization?${key}`)).status < 300)
})

test('compartments that are claimed can be searched', async () => {
  await each(rest.compartment ?? [], async (url) => {
    const type = url.split('/').at(-1)
    const r = await call(s, 'GET', `/${type[0].toUpperCase()}${type.slice(1)}/none/Observation`)
    return r.status === 200 ? undefined : `${url}: ${r.text}`
  })
})

test('every address of the OpenAPI document is served', async () => {
  if (!s.own) return
  const { paths } = (await call(s, 'GET', '/openapi.json')).body
  const names = { type: 'Organization', compartment: 'Patient', version: '1' }
  const list = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((m) => [m.toUpperCase(), path]))
  await each(list.filter(([, path]) => !/\$(export|import|notifications)/.test(path)), async ([method, path]) => {
    const address = path.replace(/\{(\w+)\}/g, (_, name) => names[name] ?? randomUUID())
    const form = address.endsWith('/_search')
    const options = method === 'GET' || method === 'DELETE' ? {} : form ? { body: '_count=1', type: 'application/x-www-form-urlencoded' } : { body: {} }
    const r = await call(s, method, address, options)
    return served(r) ? undefined : `${method} ${path}: ${r.status} ${r.text.slice(0, 200)}`
  })
})
