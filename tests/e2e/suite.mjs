// Starts the whole suite as a user would, on a free port and a fresh folder.
import { spawn, execFileSync } from 'node:child_process'
import { createServer } from 'node:net'
import { mkdtempSync, rmSync, chmodSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = new URL('../..', import.meta.url).pathname
const yba = join(root, 'bin/yba')

function freePort() {
  return new Promise((resolve) => {
    const s = createServer().listen(0, '127.0.0.1', () => {
      const { port } = s.address()
      s.close(() => resolve(port))
    })
  })
}

// start starts the demo with so many people, or with 0 an empty server.
export async function start({ people = 300, seed = 1, flags = [] } = {}) {
  const data = mkdtempSync(join(tmpdir(), 'yba-e2e-'))
  chmodSync(data, 0o755)
  const port = await freePort()
  const media = await freePort()
  const turn = await freePort()
  const url = `http://localhost:${port}`
  const args = ['--data', data, '--listen', `localhost:${port}`, '--media-port', String(media), '--turn-port', String(turn), ...flags]
  const command = people ? ['demo', '--people', String(people), '--seed', String(seed)] : ['serve']
  const child = spawn(yba, [...command, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (b) => { output += b })
  child.stderr.on('data', (b) => { output += b })
  let gone = false
  child.on('exit', () => { gone = true })
  const deadline = Date.now() + 180_000
  for (;;) {
    if (gone) throw new Error(`the suite ended while starting:\n${output}`)
    if (Date.now() > deadline) { child.kill('SIGKILL'); throw new Error(`the suite did not become ready:\n${output}`) }
    // Ready is what the demo says at its end: the province is loaded then.
    if (!people || output.includes(url)) {
      const r = await fetch(`${url}/readyz`).catch(() => null)
      if (r?.ok) break
    }
    await new Promise((r) => setTimeout(r, 100))
  }
  return {
    url, data,
    accounts: people ? JSON.parse(readFileSync(join(data, 'demo.json'), 'utf8')).accounts : [],
    yba: (...command) => execFileSync(yba, [...command, ...args], { cwd: root, encoding: 'utf8' }).trim(),
    token: (name) => execFileSync(yba, ['token', '--as', name, ...args], { cwd: root, encoding: 'utf8' }).trim(),
    output: () => output,
    async stop() {
      if (!gone) {
        const ended = new Promise((r) => child.on('exit', r))
        child.kill('SIGINT')
        await ended
      }
      rmSync(data, { recursive: true, force: true })
    },
  }
}

// call is one operation of the JSON API.
export async function call(suite, token, operation, body = {}) {
  const [service, method] = operation.split('.')
  const r = await fetch(`${suite.url}/api/${service}/v1/${method}`, {
    method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }, body: JSON.stringify(body),
  })
  return { status: r.status, body: await r.json() }
}
