// What is sent over HTTP comes back over HTTP: every file of the
// specification's examples, every resource of the Synthea bundles, and odd
// spellings, byte for byte but for what the server sets
// (https://hl7.org/fhir/R4/http.html#create). On a server that is not ours
// values are compared instead of bytes.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { call, server } from './server.mjs'

let s
// Examples refer to what is not among them, and five of them are not valid.
test.before(async () => { s = await server('--records-references-write', 'none', '--records-validate=false') })
test.after(() => s?.stop())

const data = new URL('../../../shared/data/', import.meta.url).pathname
const files = (folder) => (existsSync(join(data, folder)) ? readdirSync(join(data, folder)).filter((f) => f.endsWith('.json')).map((f) => join(data, folder, f)) : [])
const absent = (t, folder) => files(folder).length === 0 && (t.skip(`../shared/data/${folder} is absent`), true)

// bare is a resource without what the server sets; blanks around members that
// it replaces stay as they are.
const bare = (text) => text.trim()
  .replace(/"(versionId|lastUpdated)"\s*:\s*"[^"]*"\s*,?/g, '')
  .replace(/,?"meta"\s*:\s*\{\s*\}/, '')

function same(got, sent, what) {
  if (s.own) return assert.equal(bare(got), bare(sent), what)
  const plain = (text) => ({ ...JSON.parse(text), meta: undefined })
  return assert.deepEqual(plain(got), plain(sent), what)
}

// resources yields the text of each entry's resource, as it stands in a Bundle.
function* resources(text) {
  const open = /"resource"\s*:\s*(?=\{)/g
  for (let found; (found = open.exec(text));) {
    const start = open.lastIndex
    let depth = 0
    const token = /"(?:[^"\\]|\\.)*"|[{}]/g
    token.lastIndex = start
    for (let t; (t = token.exec(text));) {
      if (t[0] === '{') depth++
      if (t[0] === '}' && --depth === 0) break
    }
    yield text.slice(start, token.lastIndex)
    open.lastIndex = token.lastIndex
  }
}

const put = async (type, id, body) => {
  const r = await call(s, 'PUT', `/${type}/${id}`, { body })
  assert.ok(r.status === 200 || r.status === 201, `${type}/${id}: ${r.text.slice(0, 300)}`)
  return (await call(s, 'GET', `/${type}/${id}`)).text
}

test("the specification's examples come back as they were sent", async (t) => {
  if (absent(t, 'fhir-r4-examples')) return
  const list = files('fhir-r4-examples').map((f) => [f, readFileSync(f, 'utf8')])
  const people = new Set(list.flatMap(([, text]) => [...text.matchAll(/"Patient\/([A-Za-z0-9.-]+)"/g)].map((m) => m[1])))
  for (const id of ['p', ...people]) await put('Patient', id, { resourceType: 'Patient', id })
  for (const [file, text] of list) {
    // A person belongs to this server, not to another.
    const sent = text.replaceAll('"http://hl7.org/fhir/Patient/1"', '"Patient/p"').replaceAll('"DocumentReference/example"', '"Patient/p"')
    const { resourceType, id } = JSON.parse(sent)
    if (id) {
      same(await put(resourceType, id, sent), sent, file)
      continue
    }
    const made = await call(s, 'POST', `/${resourceType}`, { body: sent })
    assert.equal(made.status, 201, made.text)
    same((await call(s, 'GET', `/${resourceType}/${made.body.id}`)).text.replace(`,"id":"${made.body.id}"`, ''), sent, file)
  }
  t.diagnostic(`${list.length} files`)
})

test('resources of Synthea come back as they were sent, each under its new address', async (t) => {
  if (absent(t, 'synthea-r4')) return
  let total = 0
  for (const file of files('synthea-r4').slice(0, Number(process.env.FIDELITY_BUNDLES ?? 4))) {
    const text = readFileSync(file, 'utf8')
    const sent = JSON.parse(text)
    const r = await call(s, 'POST', '/', { body: text })
    assert.equal(r.status, 200, `${file}: ${r.text.slice(0, 300)}`)
    const where = r.body.entry.map((e) => e.response.location.replace(/^.*?([A-Z][A-Za-z]+\/[^/]+)\/_history\/.*$/, '$1'))
    const address = new Map(sent.entry.map((e, i) => [e.fullUrl, where[i]]))
    let i = 0
    for (const resource of resources(text)) {
      const [type, id] = where[i].split('/')
      const expected = resource.replace(/urn:uuid:[0-9a-f-]{36}/g, (u) => address.get(u) ?? u).replace(/("id"\s*:\s*)"[^"]*"/, `$1"${id}"`)
      same((await call(s, 'GET', `/${type}/${id}`)).text, expected, `${file} ${i}`)
      i++
    }
    assert.equal(i, sent.entry.length)
    total += i
  }
  t.diagnostic(`${total} resources`)
})

test('odd spellings stay', async () => {
  await put('Patient', 'p', '{"resourceType":"Patient","id":"p"}')
  for (const [i, body] of [
    '"status":"final","code":{"text":"\\u0041\\/\\ud83d\\ude00 Ngh\\u1ec7 An"},"valueQuantity":{"value":1.50}',
    '"status":"final","code":{"text":"x"},"valueQuantity":{"value":0.0010000000000000000000000000001}',
    '"status":"final","code":{"text":"x"},"valueQuantity":{"value":1e2},"component":[{"code":{"text":"y"},"valueQuantity":{"value":-1.0E-3}}]',
    '"status":"final","code":{"text":"x"},"valueDecimal":100000000000000000000000000000.0',
    '"status":"final","code":{"text":"tab\\t line\\n \\"quoted\\" \\\\ "},"note":[{"text":"# a\\n\\n* b"}]',
    '"status" : "final" ,\r\n\t"code":{ "text" : "x" } ',
    '"code":{"text":"x"},"status":"final","_status":{"id":"s","extension":[{"url":"http://x/y","valueCode":"z"}]}',
    '"status":"final","code":{"text":"x"},"extension":[{"url":"http://x/unknown","extension":[{"url":"a","valueInteger":1},{"url":"b","valueString":" b "}]}]',
    '"status":"final","code":{"text":"x"},"contained":[{"resourceType":"Device","id":"d","note":[{"text":"é"}]}],"device":{"reference":"#d"}',
  ].entries()) {
    const sent = `{"resourceType":"Observation","id":"odd-${i}",${body}}`
    same(await put('Observation', `odd-${i}`, sent), sent, body)
  }
  const twins = '{"resourceType":"Patient","id":"twins","_birthDate":{"extension":[{"url":"http://x/y","valueCode":"unknown"}]},"name":[{"given":["A",null,"C"],"_given":[null,{"id":"q"},null]}]}'
  same(await put('Patient', 'twins', twins), twins)
})
