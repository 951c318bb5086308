// Runs the test suites and ends with one count over all of them.
//   node tests/run.mjs            everything
//   node tests/run.mjs go web e2e conformance fuzz   only the named suites
import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

const root = new URL('..', import.meta.url).pathname
const ui = join(root, 'services/gateway/web/ui')
const total = { passed: 0, failed: 0, skipped: 0 }
const failures = []

function run(command, args, options, onLine) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options })
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', onLine)
    child.on('error', (e) => { onLine(String(e)); resolve(1) })
    child.on('close', (code) => resolve(code ?? 1))
  })
}

// install fetches a folder's pinned packages once.
function install(dir) {
  if (!existsSync(join(dir, 'node_modules'))) spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: dir, stdio: 'inherit' })
}

function fail(name) { total.failed++; failures.push(name) }

// Go tests: counted test by test, subtests not. The Dockerfile and the
// compose file are checked by a module of their own, whose libraries are none
// of the product's.
async function go() {
  await goTest(['-race', '-timeout', '20m', './...'])
  await goTest(['-C', 'deploy/tools', './...'])
}

async function goTest(args) {
  const output = new Map()
  const broken = new Set()
  const [flag, dir] = args[0] === '-C' ? args.splice(0, 2) : []
  const code = await run('go', [...(flag ? [flag, dir] : []), 'test', '-json', ...args], {}, (line) => {
    let e
    try { e = JSON.parse(line) } catch { console.log(line); return }
    const key = `${e.Package ?? e.ImportPath}/${e.Test ?? ''}`
    if (e.Action === 'output' || e.Action === 'build-output') {
      output.set(key, (output.get(key) ?? '') + e.Output)
      return
    }
    const top = e.Test && !e.Test.includes('/')
    if (e.Action === 'pass' && top) total.passed++
    if (e.Action === 'skip' && top) total.skipped++
    if (e.Action === 'fail' && e.Test) {
      if (top) fail(key)
      console.log(output.get(key) ?? '')
    }
    if (e.Action === 'fail' && !e.Test) {
      broken.add(e.Package)
      console.log(output.get(key) ?? '', output.get(`${e.FailedBuild}/`) ?? '')
    }
    if ((e.Action === 'pass' || e.Action === 'fail') && !e.Test) console.log(`${e.Action === 'pass' ? 'ok  ' : 'FAIL'} ${e.Package} ${e.Elapsed}s`)
    if (e.Action !== 'run') output.delete(key)
  })
  if (code !== 0 && !failures.length) fail(`go test (${[...broken].join(', ') || 'see above'})`)
}

// Fuzz targets run for a moment each, those of what strangers send to the
// FHIR face for longer; a crash is a failure. One runs on each processor.
async function fuzz() {
  const list = spawnSync('grep', ['-rnE', '--include=*_test.go', '^func Fuzz[A-Za-z]+\\(f \\*testing\\.F\\)', 'pkg', 'services', 'cmd'], { cwd: root, encoding: 'utf8' }).stdout
  const targets = [...list.matchAll(/^(.+)\/[^/]+_test\.go:\d+:func (Fuzz\w+)/gm)]
  const processor = async () => {
    for (let m = targets.shift(); m; m = targets.shift()) await fuzzOne(m[1], m[2])
  }
  await Promise.all(Array.from({ length: availableParallelism() }, processor))
}

async function fuzzOne(dir, target) {
  const lines = []
  const time = process.env.FUZZTIME ?? (/^Fuzz(JSON|FHIRPath|.+Patch|Search.+)$/.test(target) ? '30s' : '10s')
  const code = await run('go', ['test', `./${dir}`, '-run', '^$', '-fuzz', `^${target}$`, '-fuzztime', time, '-parallel', '1'], {}, (l) => lines.push(l))
  // At the end of its time the fuzzer may give up on the input it is just
  // trying and call that a failure; a finding always names a failing input.
  const late = lines.some((l) => l.trim() === 'context deadline exceeded') && !lines.some((l) => l.includes('Failing input'))
  if (code === 0 || late) total.passed++
  else { fail(`${dir}: ${target}`); console.log(lines.join('\n')) }
  console.log(`${code === 0 || late ? 'ok  ' : 'FAIL'} ${dir} ${target} ${time}`)
}

// The browser apps' own unit tests.
async function web() {
  install(ui)
  const out = join(ui, 'node_modules/.vitest.json')
  await run('npx', ['vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${out}`], { cwd: ui }, (l) => console.log(l))
  const r = existsSync(out) ? JSON.parse(readFileSync(out, 'utf8')) : null
  if (!r) return fail('vitest')
  total.passed += r.numPassedTests
  total.skipped += r.numPendingTests
  for (const f of r.testResults) for (const t of f.assertionResults) if (t.status === 'failed') fail(t.fullName)
  if (!r.success && !r.numFailedTests) fail('vitest')
}

// The browser is for the story and for one Go test of the media rooms.
function browser() {
  const dir = join(root, 'tests/e2e')
  install(dir)
  if (spawnSync('node', [join(dir, 'browser.mjs'), '--install'], { stdio: 'inherit' }).status !== 0) fail('no browser')
}

// The story in real browsers.
const e2e = () => nodeTest('e2e')

// Real clients and brute force against the FHIR face.
const conformance = () => nodeTest('conformance')

async function nodeTest(name) {
  const dir = join(root, 'tests', name)
  install(dir)
  const files = readdirSync(dir).filter((f) => f.endsWith('.test.mjs')).map((f) => join(dir, f))
  const code = await run('node', ['--test', '--test-reporter=tap', '--test-concurrency=1', ...files], {}, (line) => {
    console.log(line)
    const m = /^# (pass|fail|skipped) (\d+)$/.exec(line)
    if (!m) return
    if (m[1] === 'pass') total.passed += +m[2]
    if (m[1] === 'skipped') total.skipped += +m[2]
    if (m[1] === 'fail') for (let i = 0; i < +m[2]; i++) fail(`${name}: see "not ok" above`)
  })
  if (code !== 0 && !failures.length) fail(name)
}

const suites = { go, web, e2e, conformance, fuzz }
const chosen = process.argv.slice(2).length ? process.argv.slice(2) : Object.keys(suites)
if (chosen.includes('go') || chosen.includes('e2e')) browser()
for (const name of chosen) {
  console.log(`== ${name}`)
  await suites[name]()
}
for (const f of failures) console.log(`failed: ${f}`)
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exit(total.failed || !total.passed ? 1 : 0)
