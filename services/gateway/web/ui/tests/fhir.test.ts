import { expect, it } from 'vitest';
import { active, idOf, nameOf, noteText, type Observation, resourcesOf, vitalsOf, words } from '../shared/fhir';

const loinc = (code: string) => ({ coding: [{ system: 'http://loinc.org', code }] });
const seen = (at: string, code: string, value: number, unit = ''): Observation =>
  ({ resourceType: 'Observation', id: at, code: loinc(code), effectiveDateTime: at, valueQuantity: { value, unit } });

it('sorts vitals into series, oldest first, and splits blood pressure', () => {
  const series = vitalsOf([
    seen('2026-02-01', '29463-7', 61.5, 'kg'), seen('2025-02-01', '29463-7', 60, 'kg'), seen('2026-02-01', '99999-9', 1),
    { resourceType: 'Observation', id: 'bp', code: loinc('85354-9'), effectiveDateTime: '2026-02-01', component: [
      { code: loinc('8480-6'), valueQuantity: { value: 128, code: 'mm[Hg]' } }, { code: loinc('8462-4'), valueQuantity: { value: 82, code: 'mm[Hg]' } }] },
  ]);
  expect(series.weight?.map((p) => p.value)).toEqual([60, 61.5]);
  expect(series.systolic).toEqual([{ at: '2026-02-01', value: 128, unit: 'mm[Hg]' }]);
  expect(series.diastolic?.[0]?.value).toBe(82);
  expect(Object.keys(series)).toHaveLength(3);
});

it('keeps a value of zero and drops an observation without a date', () => {
  const undated: Observation = { resourceType: 'Observation', id: '1', code: loinc('8867-4'), valueQuantity: { value: 70 } };
  expect(vitalsOf([seen('2026-01-01', '8867-4', 0), undated]).pulse?.map((p) => p.value)).toEqual([0]);
});

it('decodes a note as UTF-8 and skips what is no text', () => {
  const data = Buffer.from('Bệnh nhân tỉnh, tiếp xúc tốt.\nHẹn tái khám.').toString('base64');
  const note = { resourceType: 'DocumentReference', id: '1', content: [{ attachment: { contentType: 'application/pdf', data: 'AAAA' } }, { attachment: { contentType: 'text/plain; charset=utf-8', data } }] };
  expect(noteText(note)).toBe('Bệnh nhân tỉnh, tiếp xúc tốt.\nHẹn tái khám.');
  expect(noteText({ ...note, content: [{ attachment: { contentType: 'text/plain', data: '%%%' } }] })).toBe('');
});

it('never shows a bare code', () => {
  expect(words({ coding: [{ code: 'I10' }] })).toBe('');
  expect(words({ coding: [{ code: 'I10' }, { code: 'x', display: 'Tăng huyết áp' }] })).toBe('Tăng huyết áp');
  expect(words({ text: 'Cao huyết áp', coding: [{ display: 'Hypertension' }] })).toBe('Cao huyết áp');
});

it('reads names, references, statuses and bundles', () => {
  expect(nameOf({ resourceType: 'Patient', id: '1', name: [{ family: 'Nguyễn', given: ['Thị', 'Hoa'] }] })).toBe('Nguyễn Thị Hoa');
  expect(idOf({ reference: 'https://x.vn/fhir/R4/Patient/12/_history/3' })).toBe('12');
  expect(active({ clinicalStatus: { coding: [{ code: 'resolved' }] } })).toBe(false);
  expect(active({})).toBe(true);
  const bundle = { resourceType: 'Bundle' as const, entry: [{ resource: { resourceType: 'Patient', id: '1' }, search: { mode: 'match' } }, { resource: { resourceType: 'Organization', id: '2' }, search: { mode: 'include' } }] };
  expect(resourcesOf(bundle).map((r) => r.id)).toEqual(['1']);
});
