// _id and _lastUpdated, which the server decides: what it says of the latter
// is asked for again.
import { call } from '../server.mjs'
import { matcher } from './match.mjs'

const prefixes = ['', 'eq', 'ne', 'gt', 'lt', 'ge', 'le', 'sa', 'eb']

// updates returns searches by _id and _lastUpdated.
export async function updates(s, oracle, rand) {
  const pick = (list) => list[Math.floor(rand() * list.length)]
  const out = []
  for (const [type, list] of oracle.types) {
    if (list.length > 900) continue
    const page = await call(s, 'GET', `/${type}?_elements=id&_count=1000`)
    const times = new Map(page.body.entry.map((e) => [e.resource.id, Date.parse(e.resource.meta.lastUpdated)]))
    for (const prefix of prefixes.filter(() => rand() < 0.4)) {
      const at = new Date(pick([...times.values()])).toISOString()
      const text = prefix + pick([at, at.replace(/\.\d+Z/, 'Z'), at.slice(0, 10), at.slice(0, 4)])
      const hit = matcher('date', '', text)
      // A version is written at a point in time, shown to the millisecond.
      out.push({ type, about: '_lastUpdated', query: [['_lastUpdated', text]], expected: new Set([...times].filter(([, t]) => hit({ low: t, high: t + 0.001 })).map(([id]) => id)) })
    }
    const ids = [pick(list).id, pick(list).id, 'nobody']
    out.push({ type, about: '_id', query: [['_id', ids.join(',')]], expected: new Set(ids.slice(0, 2)) })
    out.push({ type, about: '_id:not', query: [['_id:not', ids.join(',')]], expected: new Set(list.map((r) => r.id).filter((id) => !ids.includes(id))) })
  }
  return out
}
