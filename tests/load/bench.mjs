// `make bench`: starts the suite on a fresh folder, measures it with `yba
// bench`, and a call's way from "join" to the first decoded frame in real
// browsers. Prints one table. BUNDLES names another folder of bundles.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { launch } from '../e2e/browser.mjs'
import { id, profile, signIn } from '../e2e/pages.mjs'
import { start } from '../e2e/suite.mjs'

const root = new URL('../..', import.meta.url).pathname
const bundles = process.env.BUNDLES ?? join(root, '../shared/data/synthea-r4')
if (!existsSync(bundles)) {
  console.error(`There are no bundles in ${bundles}; name a folder with BUNDLES=…`)
  process.exit(1)
}

const suite = await start({ people: 300 })
let failed = false
try {
  const r = spawnSync(join(root, 'bin/yba'), ['bench', '--data', suite.data, '--url', suite.url, '--bundles', bundles, ...process.argv.slice(2)], { stdio: 'inherit' })
  failed = r.status !== 0
  console.log(`join to the first decoded frame, ms: ${await joins()}`)
} finally {
  await suite.stop()
}
process.exit(failed ? 1 : 0)

// joins measures the patient's click on "enter the room" until the browser
// has decoded the doctor's first frame, several times; the patient leaves and
// enters again in between. The median comes first.
async function joins() {
  const browser = await launch()
  try {
    const doctor = await profile(browser, suite)
    const patient = await profile(browser, suite, { width: 390, height: 844 })
    const account = (name) => suite.accounts.find((a) => a.username === name)
    await signIn(patient, 'patient', 'hoa', account('hoa').password)
    await signIn(doctor, 'clinic', 'bacsi', account('bacsi').password)
    await id(doctor, 'queue-item').first().click()
    await id(doctor, 'admit').click()
    const token = suite.token('hoa')
    const list = await (await fetch(`${suite.url}/api/consults/v1/ListConsultations`, {
      method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }, body: '{"status":["active"]}',
    })).json()
    const times = []
    for (let i = 0; i < 5; i++) {
      await patient.goto(`/patient/consultation/${list.consultations[0].id}`)
      await id(patient, 'enter-room').waitFor()
      times.push(await patient.evaluate(async () => {
        const first = window.peers.length
        const begun = performance.now()
        document.querySelector('[data-testid=enter-room]').click()
        for (;;) {
          for (const pc of window.peers.slice(first)) {
            if (pc.connectionState === 'closed') continue
            for (const s of (await pc.getStats()).values()) {
              if (s.type === 'inbound-rtp' && s.kind === 'video' && s.framesDecoded > 0) return Math.round(performance.now() - begun)
            }
          }
          if (performance.now() - begun > 30_000) throw new Error('no frame in 30 s')
          await new Promise((r) => setTimeout(r, 5))
        }
      }))
      await patient.evaluate(() => sessionStorage.removeItem('resume'))
    }
    times.sort((a, b) => a - b)
    return `median ${times[2]} (${times.join(', ')})`
  } finally {
    await browser.close()
  }
}
