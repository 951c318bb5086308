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

// Names of minorities, and the family name last.
const more = [
  { text: "H'Hen Niê", family: 'Niê', given: ["H'Hen"] }, { text: 'H’Hoa Êban' }, { family: 'Giàng'.normalize('NFD'), given: ['A Pao'] }, { text: 'Công Tằng Tôn Nữ Minh Châu', family: 'Công Tằng Tôn Nữ', given: ['Minh', 'Châu'] }, { given: ['Lan'] },
].map((name, i) => ({
  resourceType: 'Patient', id: `vn-${10 + i}`, name: [name], gender: i % 2 ? 'male' : 'other', deceasedBoolean: i === 3, link: [{ other: { reference: 'Patient/vn-1' }, type: 'seealso' }],
  meta: { tag: [{ system: 'http://yba.test/tags', code: `t${i % 2}`, display: 'Thẻ' }], security: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', code: i % 2 ? 'R' : 'N' }], profile: [`http://yba.test/StructureDefinition/a/${i % 3}${i > 2 ? '|1.0' : ''}`], source: `http://yba.test/source/${i}` },
  text: { status: 'generated', div: `<div xmlns="http://www.w3.org/1999/xhtml"><p title="ẩn">Bệnh nhân <b>${name.text ?? 'vô danh'}</b></p><td>số ${i} &amp; hơn&#160;nữa</td></div>` },
}))

// Trees: houses of rooms, a ministry of stations, stays within stays.
const part = (type, id, above, rest) => ({ resourceType: type, id, ...rest, ...(above ? { partOf: { reference: `${type}/${above}` } } : {}) })
const trees = [
  ...[['house'], ['floor', 'house'], ['room', 'floor'], ['bed', 'room'], ['shed'], ['ring-a', 'ring-b'], ['ring-b', 'ring-a']].map(([id, above]) => part('Location', id, above, { name: id })),
  ...[['ministry'], ['province', 'ministry'], ['station-1', 'province'], ['station-2', 'province']].map(([id, above]) => part('Organization', id, above, { name: id })),
  ...[['stay'], ['ward', 'stay'], ['night', 'ward']].map(([id, above], i) => part('Encounter', id, above, {
    status: 'finished', class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: ['IMP', 'ACUTE', 'NONAC'][i] }, subject, serviceProvider: { reference: `Organization/${['station-1', 'province', 'ministry'][i]}` },
    location: [{ location: { reference: `Location/${['bed', 'room', 'house'][i]}` } }],
  })),
  ...['house', 'floor', 'bed', 'shed', 'ring-a'].map((id, i) => ({
    resourceType: 'Procedure', id: `in-${id}`, status: i % 2 ? 'completed' : 'in-progress', subject, location: { reference: `Location/${id}` }, ...(i ? { partOf: [{ reference: `Procedure/in-${['house', 'floor', 'bed', 'shed'][i - 1]}` }] } : {}),
    performer: [{ actor: { reference: `Organization/station-${1 + (i % 2)}`, identifier: { system: 'http://yba.test/org', value: `o${i}` } } }],
    encounter: { reference: `Encounter/${['stay', 'ward', 'night'][i % 3]}`, identifier: { system: 'http://yba.test/visit', value: `v${i % 3}` } }, note: [{ text: `Ghi chú số ${i}: "sốt xuất huyết", huyết áp 150/90` }],
  })),
]

export const extra = [...people, ...more, ...measured, ...periods, pressure, timed, ...trees]

// lists are of every n-th of the other resources.
export const lists = (resources) => [[97, 'thin'], [29, 'thick']].map(([n, id]) => ({
  resourceType: 'List', id: `list-${id}`, status: 'current', mode: 'working', entry: resources.filter((_, i) => i % n === 0).map((r) => ({ item: { reference: `${r.resourceType}/${r.id}` } })),
}))
