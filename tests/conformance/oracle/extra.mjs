// Resources for what the public data does not show: Vietnamese names, dates of
// every precision, units of one dimension, references by identifier.
const loinc = (code, display) => ({ coding: [{ system: 'http://loinc.org', code, display }] })
const ucum = (value, code) => ({ value, unit: code, system: 'http://unitsofmeasure.org', code })
const subject = { reference: 'Patient/vn-1' }

const people = [
  ['vn-1', 'Nguyễn', ['Thị', 'Hoà'], '1984-05-17'], ['vn-2', 'Đặng', ['Văn', 'Đức'], '1984-05'], ['vn-3', 'Trần', ['Thị', 'Mỹ Lệ'], '1984'], ['vn-4', 'NGUYỄN', ['THỊ', 'HÒA'], '2001-12-31'],
].map(([id, family, given, birthDate], i) => ({
  resourceType: 'Patient', id, active: true, name: [i % 2 ? { family, given } : { text: `${family} ${given.join(' ')}`, family, given }], birthDate, gender: 'female',
  identifier: [{ type: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0203', code: 'NI' }], text: 'Căn cước công dân' }, system: 'http://fhir.hl7.org.vn/core/sid/cccd', value: `07918400000${i}` }],
  address: [{ city: 'Xã Bình Hưng', state: 'Thành phố Hồ Chí Minh', country: 'VN' }],
}))

const measured = [
  [ucum(68.5, 'kg'), '2024-02-29'], [ucum(68500, 'g'), '2024-02'], [ucum(70.0, 'kg'), '2024'], [ucum(151, '[lb_av]'), '2024-02-29T08:30:00+07:00'], [ucum(37.5, 'Cel'), '2024-02-28T23:30:00Z'],
  [ucum(99.5, '[degF]'), '2024-02-29T00:00:00+09:00'], [ucum(120, 'mm[Hg]'), '2024-02-29T08:30:15.250+07:00'], [ucum(16, 'kPa'), '2024-12-31T23:59:59Z'],
].map(([valueQuantity, effectiveDateTime], i) => ({ resourceType: 'Observation', id: `vn-o${i}`, status: 'final', code: loinc('29463-7', 'Cân nặng'), subject, effectiveDateTime, valueQuantity }))

const periods = [{ start: '2024-03-01' }, { end: '2024-03-05' }, { start: '2024-03-01T07:00:00+07:00', end: '2024-03-01T09:00:00+07:00' }].map((effectivePeriod, i) => (
  { resourceType: 'Observation', id: `vn-p${i}`, status: 'final', code: loinc('8867-4', 'Mạch'), subject: { ...subject, identifier: { system: 'http://fhir.hl7.org.vn/core/sid/cccd', value: '079184000000' } }, effectivePeriod, valueCodeableConcept: { coding: [{ system: 'http://snomed.info/sct', code: '260385009' }], text: 'Âm tính' } }
))

const pressure = {
  resourceType: 'Observation', id: 'vn-bp', status: 'final', code: loinc('85354-9', 'Huyết áp'), subject, effectiveDateTime: '2024-03-02',
  component: [{ code: loinc('8480-6'), valueQuantity: ucum(128, 'mm[Hg]') }, { code: loinc('8462-4'), valueQuantity: ucum(82, 'mm[Hg]') }],
}

const timed = {
  resourceType: 'ServiceRequest', id: 'vn-t', status: 'active', intent: 'order', subject, occurrenceTiming: { event: ['2024-03-02', '2024-04-02T08:00:00+07:00'] }, code: { text: 'Đo huyết áp' },
}

export const extra = [...people, ...measured, ...periods, pressure, timed]
