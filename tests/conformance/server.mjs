// The server under test: FHIR_BASE with FHIR_TOKEN, or a suite of our own.
import { start } from '../e2e/suite.mjs'

// server takes further flags for a suite of our own.
export async function server(...flags) {
  if (process.env.FHIR_BASE) return { base: process.env.FHIR_BASE.replace(/\/$/, ''), token: process.env.FHIR_TOKEN ?? '', own: false, stop: async () => {} }
  const suite = await start({ people: 0, flags: ['--rate-limit', '0', '--log-level', 'warn', ...flags] })
  suite.yba('user', 'create', 'importer', '--name', 'Conformance', '--role', 'importer')
  return { base: `${suite.url}/fhir/R4`, token: suite.token('importer'), own: true, suite, stop: () => suite.stop() }
}

// call is one request to the FHIR face.
export async function call(s, method, path, { body, type = 'application/fhir+json', headers = {} } = {}) {
  const r = await fetch(path.startsWith('http') ? path : `${s.base}${path}`, {
    method, redirect: 'manual',
    headers: { accept: 'application/fhir+json', ...(s.token ? { authorization: `Bearer ${s.token}` } : {}), ...(body === undefined ? {} : { 'content-type': type }), ...headers },
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
  })
  const text = await r.text()
  let json
  try { json = JSON.parse(text) } catch { /* not every answer is JSON */ }
  return { status: r.status, headers: r.headers, text, body: json }
}
