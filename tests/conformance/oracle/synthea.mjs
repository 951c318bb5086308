// Synthea's records, which are not part of this repository.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

export const data = join(import.meta.dirname, '../../../../shared/data')

// synthea are the resources of bundles, under the ids that they call each
// other by, so that what is expected does not depend on the server.
export function synthea(n) {
  const dir = join(data, 'synthea-r4')
  return readdirSync(dir).sort().slice(0, n).flatMap((file) => {
    const text = readFileSync(join(dir, file), 'utf8')
    const { entry } = JSON.parse(text)
    const types = new Map(entry.map((e) => [e.fullUrl, e.resource.resourceType]))
    const local = text.replace(/"(urn:uuid:[0-9a-f-]+)"/g, (whole, urn) => (types.has(urn) ? `"${types.get(urn)}/${urn.slice(9)}"` : whole))
    return JSON.parse(local).entry.map((e) => ({ ...e.resource, id: e.resource.id ?? e.fullUrl.split('/').pop() }))
  })
}
