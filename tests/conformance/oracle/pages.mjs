// Pages to the end of a list while others write: what was there before and is
// not touched is shown exactly once, in every order.
import { call } from '../server.mjs'

const orders = ['', 'date', '-date', '_lastUpdated', '-_lastUpdated', '_id', 'status,-date', '-code,value-quantity', 'patient,_id']

// paged returns what went wrong, as lines.
export async function paged(s, oracle) {
  const code = '8302-2'
  const there = oracle.find('Observation', 'code', '', [`http://loinc.org|${code}`])
  const named = oracle.chain('Observation', 'subject', 'Patient', oracle.find('Patient', 'gender', '', ['female', 'male', 'other']))
  const wrong = []
  let over = false
  let made = 0
  const writer = (async () => {
    while (!over) {
      const n = made++
      const body = {
        resourceType: 'Observation', id: `page-${n % 40}`, status: n % 2 ? 'final' : 'amended', code: { coding: [{ system: 'http://loinc.org', code }] }, subject: { reference: `Patient/vn-${1 + (n % 4)}` },
        effectiveDateTime: `${1990 + (n % 40)}-0${1 + (n % 9)}-11T0${n % 10}:00:00+07:00`, valueQuantity: { value: 100 + (n % 90), unit: 'cm', system: 'http://unitsofmeasure.org', code: 'cm' },
      }
      const r = n % 7 === 6 ? await call(s, 'DELETE', `/Observation/page-${(n * 3) % 40}`) : await call(s, 'PUT', `/Observation/${body.id}`, { body })
      if (r.status >= 300 && r.status !== 404) wrong.push(`the writer was told ${r.status} ${r.text.slice(0, 200)}`)
    }
  })()
  const lists = orders.flatMap((order) => ['code', 'text', 'chain'].map((kind) => [order, kind]))
  const asked = lists.length
  const list = async (order, kind) => {
    const query = { code: `code=http://loinc.org|${code}`, text: `code=http://loinc.org|${code}&_content=8302`, chain: `code=http://loinc.org|${code}&subject:Patient.gender=female,male,other` }[kind]
    const want = kind === 'chain' ? new Set([...there].filter((id) => named.has(id))) : there
    const seen = new Map()
    let page = await call(s, 'GET', `/Observation?${query}&_count=7${order ? `&_sort=${order}` : ''}`)
    for (let n = 0; n < 200; n++) {
      if (page.status !== 200) { wrong.push(`${order} ${kind}: ${page.text.slice(0, 200)}`); return }
      for (const e of page.body.entry ?? []) seen.set(e.resource.id, (seen.get(e.resource.id) ?? 0) + 1)
      const next = page.body.link?.find((l) => l.relation === 'next')
      if (!next) break
      page = await call(s, 'GET', next.url)
    }
    const lost = [...want].filter((id) => !seen.has(id))
    const twice = [...want].filter((id) => seen.get(id) > 1)
    if (lost.length || twice.length) wrong.push(`_sort=${order} by ${kind}: ${lost.length} lost, ${twice.length} twice of ${want.size}`)
  }
  await Promise.all([1, 2].map(async () => { for (let l = lists.pop(); l; l = lists.pop()) await list(...l) }))
  over = true
  await writer
  return { asked, written: made, size: there.size, wrong }
}
