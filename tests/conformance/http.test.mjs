// What FHIR asks of HTTP itself: formats, preferences, headers, hostile
// bodies, on any server (https://hl7.org/fhir/R4/http.html#general).
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import test from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { call, server } from './server.mjs'

let s
const app = 'https://app.example'
test.before(async () => { s = await server('--cors-origins', app) })
test.after(() => s?.stop())

const fhir = 'application/fhir+json'
const organization = (more = {}) => ({ resourceType: 'Organization', name: 'A', ...more })
const make = async () => (await call(s, 'POST', '/Organization', { body: organization() })).body
const status = async (method, path, options) => (await call(s, method, path, options)).status

// raw sends exactly these headers and bytes, which fetch would not.
function raw(method, path, headers = {}, body) {
  const url = new URL(s.base + path)
  return new Promise((resolve, reject) => {
    const sent = { ...(s.token ? { authorization: `Bearer ${s.token}` } : {}), ...headers }
    const r = request(url, { method, headers: sent }, (answer) => {
      const parts = []
      answer.on('data', (part) => parts.push(part))
      answer.on('end', () => {
        const bytes = Buffer.concat(parts)
        const text = (answer.headers['content-encoding'] === 'gzip' && bytes.length ? gunzipSync(bytes) : bytes).toString()
        let json
        try { json = JSON.parse(text) } catch { /* not every answer is JSON */ }
        resolve({ status: answer.statusCode, headers: answer.headers, text, body: json, size: bytes.length })
      })
    })
    r.on('error', reject)
    r.end(body)
  })
}

test('JSON is answered to who asks for it, and 406 to who asks for what is not there', async () => {
  const path = `/Organization/${(await make()).id}`
  for (const accept of [fhir, 'application/json', '*/*', `${fhir}; fhirVersion=4.0`, `text/html, ${fhir};q=0.5`, 'text/html,*/*;q=0.8', `${fhir}; charset=utf-8`]) {
    const r = await call(s, 'GET', path, { headers: { accept } })
    assert.equal(r.status, 200, accept)
    assert.match(r.headers.get('content-type'), /^application\/fhir\+json/)
  }
  for (const accept of ['text/turtle', 'image/png', `${fhir};q=0`, `${fhir}; fhirVersion=1.0`]) assert.equal(await status('GET', path, { headers: { accept } }), 406, accept)
  for (const format of ['json', 'application/json', 'application/fhir%2Bjson', 'application/fhir+json', 'text/json']) assert.equal(await status('GET', `${path}?_format=${format}`, { headers: { accept: 'text/turtle' } }), 200, format)
  assert.equal(await status('GET', `${path}?_format=ttl`), 406)
  assert.equal(await status('GET', `/Organization?_format=json&_id=${randomUUID()}`), 200)
})

test('a format may name the version of FHIR, encoded or not', async () => {
  const { id } = await make()
  for (const path of [`/Organization/${id}`, `/Organization/${id}/_history`, '/Organization', '/Organization/_history']) {
    for (const format of ['json;fhirVersion=4.0', 'application/fhir+json;fhirVersion=4.0', 'application%2Ffhir%2Bjson%3B%20fhirVersion%3D4.0']) assert.equal(await status('GET', `${path}?_format=${format}`), 200, `${path} ${format}`)
    for (const format of ['application/fhir+json;fhirVersion=3.0', 'application/fhir+xml;fhirVersion=4.0']) assert.equal(await status('GET', `${path}?_format=${format}`), 406, `${path} ${format}`)
  }
})

test('preferences are read as HTTP writes them', async () => {
  for (const prefer of ['return=minimal', 'Return=minimal', 'return="minimal"', 'return = minimal', 'handling=strict, return=minimal', 'respond-async; wait=1, return=minimal']) {
    assert.equal((await call(s, 'POST', '/Organization', { body: organization(), headers: { prefer } })).text, '', prefer)
  }
})

test('what is refused of raw content is told by an OperationOutcome', async () => {
  const made = await call(s, 'POST', '/Binary', { body: 'hello', type: 'text/plain' })
  assert.equal(made.status, 201, made.text)
  const path = `/Binary/${made.headers.get('location').split('/').at(-3)}`
  for (const [headers, status] of [[{ range: 'bytes=99-' }, 416], [{ 'if-match': 'W/"9"' }, 412]]) {
    const r = await call(s, 'GET', path, { headers: { accept: '*/*', ...headers } })
    assert.equal(r.status, status)
    assert.equal(r.body?.resourceType, 'OperationOutcome', r.text)
  }
  assert.equal((await call(s, 'GET', path, { headers: { accept: '*/*', range: 'bytes=1-2' } })).text, 'el')
})

test('a body of another format, character set or version is refused with 415', async () => {
  const body = JSON.stringify(organization())
  for (const type of [fhir, 'application/json', `${fhir}; charset=UTF-8`, `${fhir}; charset=utf8`, `${fhir}; fhirVersion=4.0`]) assert.equal(await status('POST', '/Organization', { body, type }), 201, type)
  for (const type of ['text/plain', 'application/octet-stream', `${fhir}; charset=iso-8859-1`, `${fhir}; fhirVersion=3.0`]) assert.equal(await status('POST', '/Organization', { body, type }), 415, type)
  const patch = await call(s, 'PATCH', `/Organization/${(await make()).id}`, { body: {}, type: 'application/merge-patch+json' })
  assert.equal(patch.status, 415)
  assert.equal((await raw('POST', '/Organization/_search', { 'content-length': 0 })).status, 200)
})

test('_pretty is for people and changes nothing', async () => {
  const made = await make()
  for (const path of [`/Organization/${made.id}?_pretty=true`, `/Organization?_id=${made.id}&_pretty=true`, `/Organization/${made.id}/_history?_pretty=true`]) {
    const r = await call(s, 'GET', path)
    assert.equal(r.status, 200, path)
    assert.ok(r.text.includes('\n'), path)
  }
  assert.deepEqual((await call(s, 'GET', `/Organization/${made.id}?_pretty=true`)).body, made)
})

test('a slash at the end of an address changes nothing', async () => {
  const made = await make()
  const path = `/Organization/${made.id}`
  for (const [method, at, options, want] of [
    ['GET', `${path}/`, {}, 200], ['GET', `/Organization/?_id=${made.id}`, {}, 200], ['GET', `${path}/_history/`, {}, 200], ['HEAD', '/metadata/', {}, 200],
    ['POST', '/Organization/', { body: organization() }, 201], ['PUT', `${path}/`, { body: made }, 200], ['POST', '/Organization/_search/', { body: `_id=${made.id}`, type: 'application/x-www-form-urlencoded' }, 200],
    ['GET', '/Organization/none/', {}, 404], ['GET', '/Nothing/', {}, 404], ['DELETE', `${path}/_history/`, {}, 405], ['DELETE', `${path}/`, {}, 204],
  ]) {
    const r = await call(s, method, at, options)
    assert.equal(r.status, want, `${method} ${at} ${r.text}`)
    if (want >= 400) assert.equal(r.body.resourceType, 'OperationOutcome')
  }
})

test('an address tells its methods', async () => {
  const r = await call(s, 'POST', `/Organization/${(await make()).id}`, { body: organization() })
  assert.equal(r.status, 405)
  assert.equal(r.body.resourceType, 'OperationOutcome')
  for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) assert.ok(r.headers.get('allow').includes(method), r.headers.get('allow'))
  assert.equal(await status('GET', '/Patient/$nothing'), 404)
  const merge = await call(s, 'GET', '/Patient/$match')
  assert.equal(merge.status, 405)
  assert.equal(merge.headers.get('allow'), 'POST')
  assert.equal(await status('GET', '/a/b/c/d/e/f'), 404)
})

test('HEAD answers like GET, without a body', async () => {
  const made = await make()
  for (const path of [`/Organization/${made.id}`, `/Organization/${made.id}/_history/1`, '/Organization?_count=1', '/metadata']) {
    const [get, head] = [await call(s, 'GET', path), await call(s, 'HEAD', path)]
    assert.equal(head.status, 200, path)
    assert.equal(head.text, '')
    assert.equal(head.headers.get('etag'), get.headers.get('etag'))
    assert.equal(head.headers.get('content-type'), get.headers.get('content-type'))
  }
  assert.equal(await status('HEAD', `/Organization/${randomUUID()}`), 404)
})

test('versions are compared however their tag is written', async () => {
  const made = await make()
  const path = `/Organization/${made.id}`
  for (const tag of ['W/"1"', '"1"', 'W/"7", W/"1"', '*']) assert.equal(await status('GET', path, { headers: { 'if-none-match': tag } }), 304, tag)
  assert.equal(await status('GET', path, { headers: { 'if-none-match': 'W/"2"' } }), 200)
  // If-None-Match goes before If-Modified-Since (RFC 9110 section 13.1.3).
  assert.equal(await status('GET', path, { headers: { 'if-none-match': 'W/"2"', 'if-modified-since': 'Mon, 01 Jan 2099 00:00:00 GMT' } }), 200)
  let version = 1
  for (const tag of [() => `W/"${version}"`, () => `"${version}"`, () => `W/"99", W/"${version}"`, () => '*']) {
    const r = await call(s, 'PUT', path, { body: { ...made, name: `N${version}` }, headers: { 'if-match': tag() } })
    assert.equal(r.status, 200, `${tag()} ${r.text}`)
    version++
  }
  for (const tag of ['W/"1"', 'W/"abc"']) assert.equal(await status('PUT', path, { body: { ...made, name: 'X' }, headers: { 'if-match': tag } }), 412, tag)
  for (const method of ['PATCH', 'DELETE']) assert.equal(await status(method, path, { headers: { 'if-match': 'W/"1"' }, ...(method === 'PATCH' ? { body: [], type: 'application/json-patch+json' } : {}) }), 412)
  assert.equal(await status('PUT', `/Organization/${randomUUID()}`, { body: organization({ id: 'x' }), headers: { 'if-match': 'W/"1"' } }), 400)
})

test('the server gives id and meta, whatever the client writes there', async () => {
  const r = await call(s, 'POST', '/Organization', { body: organization({ id: 'mine', meta: { versionId: '77', lastUpdated: '2001-01-01T00:00:00Z', tag: [{ code: 'x' }] } }) })
  assert.equal(r.status, 201)
  assert.notEqual(r.body.id, 'mine')
  assert.equal(r.body.meta.versionId, r.headers.get('etag').slice(3, -1))
  assert.ok(Date.parse(r.body.meta.lastUpdated) > Date.parse('2020-01-01'))
  assert.deepEqual(r.body.meta.tag, [{ code: 'x' }])
  const path = `/Organization/${r.body.id}`
  assert.equal(await status('PUT', path, { body: organization() }), 400) // without its id
  assert.equal(await status('PUT', path, { body: organization({ id: 'other' }) }), 400)
  assert.equal(await status('PUT', '/Organization/a_b', { body: organization({ id: 'a_b' }) }), 400)
  const long = 'a'.repeat(65)
  assert.equal(await status('PUT', `/Organization/${long}`, { body: organization({ id: long }) }), 400)
  const conditional = await call(s, 'PUT', `/Organization?identifier=${randomUUID()}`, { body: organization({ id: 'a_b' }) })
  assert.equal(conditional.status, 400, conditional.text)
  assert.equal(await status('POST', '/Organization', { body: { resourceType: 'Patient' } }), 400)
  assert.equal(await status('POST', '/Organization', { body: {} }), 400)
})

test('an update that says the same in other words makes no version', async () => {
  const made = await make()
  const path = `/Organization/${made.id}`
  const { meta, name, ...rest } = made
  for (const body of [JSON.stringify(made, null, 2), { name, ...rest }, { ...made, meta: { ...meta, versionId: '9', lastUpdated: '2001-01-01T00:00:00Z' } }]) {
    const r = await call(s, 'PUT', path, { body })
    assert.equal(r.status, 200)
    assert.equal(r.headers.get('etag'), 'W/"1"', JSON.stringify(body))
  }
  const patch = await call(s, 'PATCH', path, { body: [{ op: 'replace', path: '/name', value: name }], type: 'application/json-patch+json' })
  assert.equal(patch.headers.get('etag'), 'W/"1"')
  const entry = [{ resource: { name, ...rest }, request: { method: 'PUT', url: `Organization/${made.id}` } }]
  assert.equal((await call(s, 'POST', '/', { body: { resourceType: 'Bundle', type: 'transaction', entry } })).body.entry[0].response.etag, 'W/"1"')
  assert.equal((await call(s, 'GET', `${path}/_history`)).body.entry.length, 1)
})

test('deleting what is gone, or was never there, is no error', async () => {
  const path = `/Organization/${(await make()).id}`
  for (let i = 0; i < 2; i++) assert.ok([200, 204].includes(await status('DELETE', path)))
  assert.ok([200, 204].includes(await status('DELETE', `/Organization/${randomUUID()}`)))
  assert.equal((await call(s, 'GET', `${path}/_history`)).body.entry.length, 2)
  // What was deleted can be written again, and goes on counting.
  const again = await call(s, 'PUT', path, { body: organization({ id: path.split('/').at(-1) }), headers: { 'if-none-match': '*' } })
  assert.equal(again.status, 201)
  assert.equal(again.headers.get('etag'), 'W/"3"')
  assert.equal(await status('GET', `${path}/_history/2`), 410)
  assert.equal(await status('GET', `${path}/_history/1`), 200)
  assert.equal(await status('GET', `${path}/_history/9`), 404)
})

test('a history goes back page by page, within times', async () => {
  const made = await make()
  const path = `/Organization/${made.id}`
  for (let i = 0; i < 4; i++) await call(s, 'PUT', path, { body: { ...made, name: `V${i}` } })
  await call(s, 'DELETE', path)
  const seen = []
  for (let url = `${path}/_history?_count=2`; url;) {
    const { body } = await call(s, 'GET', url)
    assert.ok(body.entry.length <= 2)
    for (const e of body.entry) {
      seen.push(e.response.etag)
      assert.ok(e.fullUrl && e.request.url && e.response.status && e.response.lastModified)
      assert.equal(e.resource === undefined, e.request.method === 'DELETE')
    }
    url = body.link.find((l) => l.relation === 'next')?.url
  }
  assert.deepEqual(seen, [6, 5, 4, 3, 2, 1].map((v) => `W/"${v}"`))
  const entries = async (query) => (await call(s, 'GET', `${path}/_history?${query}`)).body.entry?.length ?? 0
  assert.equal(await entries('_since=2099-01-01T00:00:00Z'), 0)
  assert.equal(await entries('_since=2001-01-01T00:00:00Z'), 6)
  assert.equal(await entries(`_at=${new Date().getUTCFullYear() + 1}`) <= 1, true)
  assert.equal(await status('GET', `${path}/_history?_since=yesterday`), 400)
  assert.equal(await status('GET', `/Organization/${randomUUID()}/_history`), 404)
})

test('a history takes what a search takes, and each parameter once', async () => {
  const path = `/Organization/${(await make()).id}/_history`
  const zone = '2001-01-01T00:00:00+07:00'
  for (const query of [`_since=${zone}`, `_since=${encodeURIComponent(zone)}`, `_at=ge${zone}`, '_since=&_at=&_count=']) {
    const r = await call(s, 'GET', `${path}?${query}`)
    assert.equal(r.status, 200, `${query} ${r.text}`)
    assert.equal(r.body.entry.length, 1, query)
  }
  for (const query of ['_since=2001&_since=2020', '_at=ge2001&_at=le2020', '_count=1&_count=2']) assert.equal(await status('GET', `${path}?${query}`), 400, query)
})

test('a version has one address', async () => {
  const path = `/Organization/${(await make()).id}/_history`
  for (const version of ['01', '+1', '%2B1', '0x1', '1.0']) assert.equal(await status('GET', `${path}/${version}`), 404, version)
  assert.equal(await status('GET', `${path}/1`), 200)
})

test('hostile bodies are refused, and the server lives', async () => {
  const headers = { 'content-type': fhir }
  const named = (name) => Buffer.concat([Buffer.from('{"resourceType":"Organization","name":"'), name, Buffer.from('"}')])
  for (const [what, body] of Object.entries({
    'nothing': '', 'a list': '[]', 'half': '{"resourceType":"Organization","name":"a', 'more': '{"resourceType":"Organization","name":"a"} x',
    'a name twice': '{"resourceType":"Organization","name":"a","name":"b"}', 'no UTF-8': named(Buffer.from([0xff, 0xfe])), 'half a pair': named(Buffer.from('\\ud800')),
    'U+0000': named(Buffer.from('\\u0000')), 'depth': `{"resourceType":"Organization","name":${'['.repeat(1e5)}${']'.repeat(1e5)}}`,
    'numbers': '{"resourceType":"Organization","name":01}', 'an empty array': '{"resourceType":"Organization","name":"a","alias":[]}', 'an empty string': '{"resourceType":"Organization","name":""}',
    'an unknown element': '{"resourceType":"Organization","name":"a","colour":"red"}',
  })) {
    const r = await raw('POST', '/Organization', headers, body)
    assert.ok(r.status === 400 || r.status === 422, `${what}: ${r.status} ${r.text.slice(0, 200)}`)
    assert.equal(r.body?.resourceType, 'OperationOutcome', what)
  }
  assert.equal(await status('GET', '/metadata'), 200)
})

test('answers and bodies travel packed, and say the same', async () => {
  const tag = randomUUID()
  const bundle = JSON.stringify({ resourceType: 'Bundle', type: 'transaction', entry: Array.from({ length: 20 }, (_, i) => ({
    resource: organization({ name: `Trạm y tế ${i}`, identifier: [{ system: 'urn:test', value: tag }] }), request: { method: 'POST', url: 'Organization' },
  })) })
  const sent = await raw('POST', '/', { 'content-type': fhir, 'content-encoding': 'gzip' }, gzipSync(bundle))
  assert.equal(sent.status, 200, sent.text)
  const path = `/Organization?identifier=urn:test|${tag}`
  const [plain, packed] = [await raw('GET', path), await raw('GET', path, { 'accept-encoding': 'gzip' })]
  assert.equal(packed.headers['content-encoding'], 'gzip')
  assert.equal(plain.headers['content-encoding'], undefined)
  for (const r of [plain, packed]) assert.match(r.headers.vary, /accept-encoding/i)
  assert.equal(packed.text, plain.text)
  assert.equal(packed.body.entry.length, 20)
  assert.ok(packed.size * 4 < plain.size, `${packed.size} of ${plain.size} bytes`)
  const one = `/Organization/${packed.body.entry[0].resource.id}`
  const read = await raw('GET', one, { 'accept-encoding': 'gzip' })
  assert.equal(read.headers.etag, 'W/"1"')
  assert.equal((await raw('GET', one, { 'accept-encoding': 'gzip', 'if-none-match': read.headers.etag })).status, 304)
})

test('a body that cannot be unpacked is refused, and what is not known is named', async () => {
  const body = JSON.stringify(organization())
  assert.equal((await raw('POST', '/Organization', { 'content-type': fhir, 'content-encoding': 'gzip' }, body)).status, 400)
  assert.equal((await raw('POST', '/Organization', { 'content-type': fhir, 'content-encoding': 'gzip' }, gzipSync(body).subarray(0, 30))).status, 400)
  const unknown = await raw('POST', '/Organization', { 'content-type': fhir, 'content-encoding': 'compress' }, body)
  assert.equal(unknown.status, 415)
  assert.equal(unknown.headers['accept-encoding'], 'gzip')
  const bomb = gzipSync(Buffer.alloc(60 << 20, ' '))
  assert.equal((await raw('POST', '/', { 'content-type': fhir, 'content-encoding': 'gzip' }, bomb)).status, 413)
})

test('pages of a named origin may call, without cookies, and of others may not', async (t) => {
  if (!s.own) return t.skip('another server has other origins')
  const path = `/Organization/${(await make()).id}`
  const preflight = (origin, at, method) => raw('OPTIONS', at, { authorization: '', origin, 'access-control-request-method': method, 'access-control-request-headers': 'authorization,content-type,if-match,prefer' })
  for (const [at, method] of [[path, 'PUT'], ['/Organization', 'POST'], ['', 'POST'], ['/Patient/$match', 'POST']]) {
    const r = await preflight(app, at, method)
    assert.equal(r.status, 204, at)
    assert.equal(r.headers['access-control-allow-origin'], app)
    assert.ok(r.headers['access-control-allow-methods'].split(', ').includes(method), `${at} ${r.headers['access-control-allow-methods']}`)
    for (const name of ['authorization', 'content-type', 'if-match', 'prefer']) assert.ok(r.headers['access-control-allow-headers'].toLowerCase().split(', ').includes(name), name)
    assert.equal(r.headers['access-control-allow-credentials'], undefined)
  }
  assert.equal((await preflight('https://evil.example', path, 'GET')).headers['access-control-allow-origin'], undefined)
  const read = await raw('GET', path, { origin: app })
  assert.equal(read.headers['access-control-allow-origin'], app)
  for (const name of ['ETag', 'Location', 'Content-Location', 'Last-Modified', 'Retry-After', 'X-Progress', 'WWW-Authenticate']) assert.ok(read.headers['access-control-expose-headers'].split(', ').includes(name), name)
  assert.match(read.headers.vary, /origin/i)
  const refused = await raw('GET', path, { origin: app, authorization: 'Bearer bad' })
  assert.equal(refused.status, 401)
  assert.equal(refused.headers['access-control-allow-origin'], app)
  assert.equal((await raw('GET', path, { origin: 'https://evil.example' })).headers['access-control-allow-origin'], undefined)
  for (const open of ['/metadata', '/.well-known/smart-configuration']) assert.equal((await raw('GET', open, { origin: 'https://evil.example' })).headers['access-control-allow-origin'], '*')
  assert.equal((await raw('GET', '/metadata')).body.rest[0].security.cors, true)
  // The token endpoint tells an app why it is refused; sign-in pages tell nothing.
  const site = new URL(s.base).origin
  const token = await fetch(`${site}/oauth/token`, { method: 'POST', headers: { origin: app, 'content-type': 'application/x-www-form-urlencoded' }, body: 'grant_type=authorization_code&code=x&client_id=patient' })
  assert.equal(token.headers.get('access-control-allow-origin'), app)
  assert.equal((await fetch(`${site}/signin?request=x`, { headers: { origin: app } })).headers.get('access-control-allow-origin'), null)
})
