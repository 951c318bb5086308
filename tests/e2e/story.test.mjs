// The one story that must always work, in separate browser profiles with a
// fake camera and microphone: register, book, see each other, write, read,
// and the department's figure moves by one.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launch } from './browser.mjs'
import { id, picture, profile, received, signIn, until, violations } from './pages.mjs'
import { call, start } from './suite.mjs'

let suite, browser, nurse, patient, doctor, department
const account = (role) => suite.accounts.find((a) => a.role === role)
const person = { name: `Trần Thị Kiểm ${String.fromCharCode(65 + (Date.now() % 26))}`, birth: '12/03/1988', phone: '0599' + String(Date.now()).slice(-6) }
let activation, patientId, before0

before(async () => {
  suite = await start({ people: 300 })
  browser = await launch()
}, { timeout: 240_000 })

after(async () => {
  await browser?.close()
  await suite?.stop()
})

const total = async () => Number((await id(department, 'total-numerator').innerText()).replace(/\D/g, ''))

test('the start page leads to the four apps', async () => {
  const anyone = await profile(browser, suite, { width: 360, height: 740 })
  await anyone.goto('/')
  for (const app of ['patient', 'station', 'clinic', 'department']) await anyone.locator(`a[href="/${app}/"]`).waitFor()
  assert.deepEqual(await violations(anyone), [])
  await picture(anyone, 'start-360')
  await anyone.goto('/patient/')
  await anyone.locator('input[name=username]').waitFor()
  assert.equal(await anyone.evaluate(() => document.fonts.ready.then(() => document.fonts.check('16px "Be Vietnam Pro"', 'ế'))), true)
  assert.deepEqual(await violations(anyone), [])
  assert.deepEqual(anyone.problems, [])
  await anyone.context().close()
})

test('the department sees the coverage before', async () => {
  department = await profile(browser, suite)
  const a = account('department')
  await signIn(department, 'department', a.username, a.password)
  await id(department, 'total-numerator').waitFor()
  before0 = await total()
  assert.ok(before0 > 0, 'no resident has a record')
  assert.ok(await id(department, 'commune-row').count() >= 3)
  assert.deepEqual(await violations(department), [])
  await picture(department, 'department-1440')
})

test('a nurse registers a resident, measures, and opens an account', async () => {
  nurse = await profile(browser, suite, { width: 390, height: 844 })
  const a = account('nurse')
  await signIn(nurse, 'station', a.username, a.password)
  await id(nurse, 'new-person').click()
  await id(nurse, 'person-name').fill(person.name)
  await id(nurse, 'person-birth').fill(person.birth)
  await id(nurse, 'person-gender-female').click()
  await id(nurse, 'person-phone').fill(person.phone)
  await picture(nurse, 'station-new-390')
  assert.deepEqual(await violations(nurse), [])
  await id(nurse, 'person-save').click()
  await id(nurse, 'visit-new').click()
  for (const [what, value] of [['systolic', '128'], ['diastolic', '82'], ['pulse', '76'], ['weight', '54.5']]) {
    await id(nurse, `visit-${what}`).fill(value)
  }
  await picture(nurse, 'station-visit-390')
  assert.deepEqual(await violations(nurse), [])
  await id(nurse, 'visit-save').click()
  await id(nurse, 'open-account').click()
  activation = { username: (await id(nurse, 'activation-username').innerText()).trim(), code: (await id(nurse, 'activation-code').innerText()).trim() }
  assert.match(activation.code.replace(/\W/g, ''), /^\w{6,}$/)
})

test('the resident activates the account and books', async () => {
  patient = await profile(browser, suite, { width: 390, height: 844 })
  await patient.goto('/patient/')
  await patient.fill('input[name=username]', activation.username)
  assert.deepEqual(await violations(patient), [])
  await picture(patient, 'signin-390')
  await patient.click('a[href*="/signin/activate"]')
  await patient.fill('input[name=username]', activation.username)
  await patient.fill('input[name=code]', activation.code)
  await patient.fill('input[name=password]', 'sông hiền lúa chín 88')
  await patient.fill('input[name=again]', 'sông hiền lúa chín 88')
  await Promise.all([patient.waitForURL(/\/patient\/(?!callback)/), patient.click('button[type=submit]')])
  const token = suite.token(activation.username)
  patientId = (await call(suite, token, 'access.Me')).body.patient
  assert.ok(patientId)

  await patient.goto('/patient/book')
  const name = account('doctor').name
  await patient.getByTestId('book-doctor').filter({ hasText: name.replace(/^BS\.?\s*/, '') }).first().click()
  await patient.getByTestId('slot-now').click()
  await patient.getByTestId('book-reason').fill('Đau đầu, chóng mặt hai ngày nay')
  await picture(patient, 'patient-book-390')
  assert.deepEqual(await violations(patient), [])
  await id(patient, 'book-confirm').click()
  await id(patient, 'checkin').click()
  await id(patient, 'waiting-place').waitFor()
  await picture(patient, 'patient-waiting-390')
  assert.deepEqual(await violations(patient), [])
})

test('the doctor sees the queue and opens the room; both see and hear each other', async () => {
  doctor = await profile(browser, suite)
  const a = account('doctor')
  await signIn(doctor, 'clinic', a.username, a.password)
  const item = id(doctor, 'queue-item').filter({ hasText: person.name })
  await item.click()
  await picture(doctor, 'clinic-queue-1440')
  assert.deepEqual(await violations(doctor), [])
  const begun = Date.now()
  await id(doctor, 'admit').click()
  await id(patient, 'enter-room').click()
  for (const [who, page] of [['doctor', doctor], ['patient', patient]]) {
    const got = await until(`${who} decodes frames and hears`, async () => {
      const r = await received(page)
      return r.frames > 10 && r.energy > 0 && r
    }, 60)
    console.log(`# ${who}: ${JSON.stringify(got)}`)
  }
  console.log(`# admit to 10 decoded frames on both sides: ${Date.now() - begun} ms`)
  await picture(doctor, 'clinic-room-1440')
  await picture(patient, 'patient-room-390')
  assert.deepEqual(await violations(doctor), [])
  assert.deepEqual(await violations(patient), [])
})

test('a reload of the page returns to the room', async () => {
  await patient.reload()
  await until('the patient is back in the room', async () => {
    const r = await received(patient)
    return r.frames > 10 && r.energy > 0
  }, 60)
})

test('another patient may neither read the record nor enter the room, and it is audited', async () => {
  const other = suite.accounts.find((a) => a.username === 'binh')
  const token = suite.token(other.username)
  const read = await fetch(`${suite.url}/fhir/R4/Patient/${patientId}`, { headers: { authorization: `Bearer ${token}` } })
  assert.equal(read.status, 403)
  const search = await fetch(`${suite.url}/fhir/R4/Observation?patient=${patientId}`, { headers: { authorization: `Bearer ${token}` } })
  const found = await search.json()
  assert.ok(search.status === 403 || !found.entry?.length, 'another patient found observations')
  const mine = await call(suite, suite.token(activation.username), 'consults.ListConsultations', { patient: patientId, status: ['active'] })
  const consultation = mine.body.consultations[0].id
  assert.equal((await call(suite, token, 'consults.Join', { id: consultation })).status, 403)
  const denied = await until('the attempts are in the audit log', async () => {
    const log = await call(suite, suite.token(account('administrator').username), 'access.ListAudit', { denied: true, limit: 100 })
    const mine = log.body.entries.filter((e) => e.account && e.outcome === 'denied')
    return mine.some((e) => e.operation === 'records.Read') && mine.some((e) => e.operation === 'consults.Join') && mine
  })
  assert.ok(denied.length >= 2)
})

test('the doctor writes a note and a prescription and ends', async () => {
  await id(doctor, 'note-text').fill('Tăng huyết áp nhẹ. Nghỉ ngơi, uống đủ nước, đo huyết áp mỗi sáng.')
  await id(doctor, 'note-sign').click()
  await id(doctor, 'rx-tab').click()
  await id(doctor, 'rx-add').click()
  await id(doctor, 'rx-name').first().fill('Amlodipin 5 mg')
  await id(doctor, 'rx-dose').first().fill('1 viên')
  await picture(doctor, 'clinic-rx-1440')
  await id(doctor, 'rx-sign').click()
  await id(doctor, 'rx-signed').waitFor()
  await id(doctor, 'end-call').click()
  const confirm = id(doctor, 'end-confirm')
  if (await confirm.isVisible().catch(() => false)) await confirm.click()
})

test('the patient reads the note and the prescription, and who read the record', async () => {
  await patient.goto('/patient/booklet/visits')
  await id(patient, 'entry-note').first().waitFor()
  await id(patient, 'entry-note').first().click()
  await patient.getByText('Tăng huyết áp nhẹ').first().waitFor()
  await picture(patient, 'patient-note-390')
  assert.deepEqual(await violations(patient), [])
  await patient.goto('/patient/booklet/medicines')
  await id(patient, 'entry-prescription').first().waitFor()
  await patient.getByText('Amlodipin 5 mg').first().waitFor()
  await patient.goto('/patient/access')
  await id(patient, 'access-row').filter({ hasText: account('doctor').name.replace(/^BS\.?\s*/, '') }).first().waitFor()
  await picture(patient, 'patient-access-390')
  assert.deepEqual(await violations(patient), [])
})

test("the department's figure has moved by one", async () => {
  await until('the figure moved', async () => {
    await department.reload()
    await id(department, 'total-numerator').waitFor()
    return (await total()) === before0 + 1
  }, 30)
})

test('no page threw an error', () => {
  for (const page of [nurse, patient, doctor, department]) {
    const real = page.problems.filter((p) => !/403|401|favicon|WebSocket/.test(p))
    assert.deepEqual(real, [])
  }
})
