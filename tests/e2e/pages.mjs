// What the tests do in the browser apps, in the words of a person.
import { readFileSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const out = join(new URL('.', import.meta.url).pathname, 'out')
mkdirSync(out, { recursive: true })

// profile opens a browser profile of its own: cookies, storage, permissions.
export async function profile(browser, suite, { width = 1440, height = 900, locale = 'vi-VN' } = {}) {
  const context = await browser.newContext({
    baseURL: suite.url, viewport: { width, height }, locale, timezoneId: 'Asia/Ho_Chi_Minh', permissions: ['camera', 'microphone'],
  })
  // Every peer connection is kept, so that the tests can ask it for getStats.
  await context.addInitScript(() => {
    const Real = window.RTCPeerConnection
    window.peers = []
    window.RTCPeerConnection = class extends Real {
      constructor(...a) { super(...a); window.peers.push(this) }
    }
  })
  const page = await context.newPage()
  page.setDefaultTimeout(30_000)
  page.problems = []
  page.on('pageerror', (e) => page.problems.push(String(e)))
  page.on('console', (m) => { if (m.type() === 'error') page.problems.push(m.text()) })
  return page
}

export async function signIn(page, app, username, password) {
  await page.goto(`/${app}/`)
  await page.fill('input[name=username]', username)
  await page.fill('input[name=password]', password)
  await Promise.all([page.waitForURL(new RegExp(`/${app}/(?!callback)`)), page.click('button[type=submit]')])
}

export const id = (page, name) => page.getByTestId(name)

// received adds up what all peer connections of the page have decoded.
export function received(page) {
  return page.evaluate(async () => {
    const sum = { frames: 0, energy: 0, width: 0 }
    for (const pc of window.peers) {
      if (pc.connectionState === 'closed') continue
      for (const s of (await pc.getStats()).values()) {
        if (s.type !== 'inbound-rtp') continue
        if (s.kind === 'video') { sum.frames += s.framesDecoded ?? 0; sum.width = Math.max(sum.width, s.frameWidth ?? 0) }
        if (s.kind === 'audio') sum.energy += s.totalAudioEnergy ?? 0
      }
    }
    return sum
  })
}

// until polls until f answers something true, and returns it.
export async function until(what, f, seconds = 30) {
  const deadline = Date.now() + seconds * 1000
  let last
  for (;;) {
    try { last = await f(); if (last) return last } catch (e) { last = e }
    if (Date.now() > deadline) throw new Error(`not in ${seconds} s: ${what} (last: ${last instanceof Error ? last.message : JSON.stringify(last)})`)
    await new Promise((r) => setTimeout(r, 100))
  }
}

// violations are what axe finds wrong by WCAG 2.2 A and AA.
export async function violations(page) {
  await page.evaluate(axe)
  const r = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }))
  return r.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.target.join(' ')).join(' | ')}`)
}

export async function picture(page, name) {
  await page.screenshot({ path: join(out, `${name}.png`), fullPage: false })
}
