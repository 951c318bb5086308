import { fhir } from '@shared/api';
import {
  active, type Allergy, type Bundle, codeOf, type Condition, type DocumentReference, type Encounter, type Immunization,
  type MedicationRequest, type Observation, type Reference, type Resource, resourcesOf, words,
} from '@shared/fhir';
import { formatNumber } from '@shared/format';
import { language } from '@shared/words';
import { IconHeartbeat, IconPill, IconShieldHalf, IconStethoscope, IconVaccine } from '@tabler/icons-react';
import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import type { TFunction } from 'i18next';
import { useTranslation } from 'react-i18next';

/** sections are the booklet's five parts, in the order of the paper one. */
export const sections = ['immunizations', 'problems', 'medicines', 'results', 'visits'] as const;
export type Section = (typeof sections)[number];

export const sectionIcon = {
  immunizations: IconVaccine, problems: IconShieldHalf, medicines: IconPill, results: IconHeartbeat, visits: IconStethoscope,
} as const;

export const isSection = (s: string | undefined): s is Section => sections.includes(s as Section);

/** Line is one entry of a timeline. */
export interface Line {
  id: string; date: string; title: string; text: string;
  who: Reference | undefined; where: Reference | undefined;
  mark: 'allergy' | 'ended' | undefined;
  resource: Resource;
}

async function search<R extends Resource>(type: string, patient: string, sort: string, count: number): Promise<R[]> {
  const query = new URLSearchParams({ patient, _sort: `-${sort}`, _count: String(count) });
  return resourcesOf(await fhir<Bundle<R>>(`${type}?${query}`));
}

const first = (line: { date: string }, next: { date: string }) => next.date.localeCompare(line.date);

const immunization = (t: TFunction) => (r: Immunization): Line => ({
  id: r.id, date: r.occurrenceDateTime ?? '', title: words(r.vaccineCode) || t('entry.vaccine'),
  text: r.protocolApplied?.[0]?.doseNumberPositiveInt ? t('entry.dose', { n: r.protocolApplied[0].doseNumberPositiveInt }) : '',
  who: r.performer?.find((p) => p.actor?.reference?.startsWith('Practitioner'))?.actor,
  where: r.performer?.find((p) => p.actor?.reference?.startsWith('Organization'))?.actor ?? r.location, mark: undefined, resource: r,
});
const condition = (t: TFunction) => (r: Condition): Line => ({
  id: r.id, date: r.recordedDate ?? r.onsetDateTime ?? '', title: words(r.code) || t('entry.condition'), text: '',
  who: r.recorder ?? r.asserter, where: undefined, mark: active(r) ? undefined : 'ended', resource: r,
});
const allergy = (t: TFunction) => (r: Allergy): Line => ({
  id: r.id, date: r.recordedDate ?? '', title: words(r.code) || t('entry.allergy'),
  text: (r.reaction ?? []).flatMap((x) => x.manifestation ?? []).map(words).filter(Boolean).join(', '),
  who: r.recorder ?? r.asserter, where: undefined, mark: active(r) ? 'allergy' : 'ended', resource: r,
});
const medicine = (t: TFunction) => (r: MedicationRequest): Line => ({
  id: r.id, date: r.authoredOn ?? '', title: words(r.medicationCodeableConcept) || t('entry.medicine'),
  text: (r.dosageInstruction ?? []).map((d) => d.text).filter(Boolean).join('; '),
  who: r.requester, where: undefined, mark: r.status && r.status !== 'active' ? 'ended' : undefined, resource: r,
});
const visit = (t: TFunction) => (r: Encounter): Line => ({
  id: r.id, date: r.period?.start ?? '', title: (r.reasonCode ?? []).map(words).filter(Boolean).join(', ') || t('entry.visit'),
  text: r.class?.code === 'VR' ? t('entry.remote') : '',
  who: r.participant?.[0]?.individual, where: r.serviceProvider, mark: undefined, resource: r,
});

const vitalNames: Record<string, string> = {
  '8302-2': 'height', '29463-7': 'weight', '8867-4': 'pulse', '8310-5': 'temperature', '59408-5': 'spo2', '2708-6': 'spo2',
  '15074-8': 'glucose', '85354-9': 'bloodPressure', '8480-6': 'systolic', '8462-4': 'diastolic',
};
const unitNames = ['cm', 'kg', 'mm[Hg]', '/min', 'Cel', '%', 'mmol/L'];

/** observationTitle names what was measured in plain words. */
export function observationTitle(r: Observation, t: TFunction): string {
  const name = vitalNames[codeOf(r.code, 'http://loinc.org') ?? ''];
  return name ? t(`shared:vital.${name}`) : words(r.code) || t('entry.result');
}

/** observationValue writes the value with its unit; blood pressure as "128/82 mmHg". */
export function observationValue(r: Observation, t: TFunction): string {
  const unit = (code: string | undefined, written: string | undefined) =>
    unitNames.includes(code ?? '') ? t(`shared:unit.${code}`, { nsSeparator: ':', keySeparator: '.' }) : (written ?? code ?? '');
  const parts = (r.component ?? []).flatMap((c) => (c.valueQuantity?.value === undefined ? [] : [c.valueQuantity]));
  const quantities = r.valueQuantity?.value !== undefined ? [r.valueQuantity] : parts;
  const q = quantities[0];
  if (!q) return r.valueString ?? words(r.valueCodeableConcept);
  return `${quantities.map((x) => formatNumber(x.value ?? 0, language())).join('/')} ${unit(q.code, q.unit)}`.trim();
}

const result = (t: TFunction) => (r: Observation): Line => ({
  id: r.id, date: r.effectiveDateTime ?? '', title: observationTitle(r, t), text: observationValue(r, t),
  who: r.performer?.find((p) => !p.reference?.startsWith('Organization')), where: r.performer?.find((p) => p.reference?.startsWith('Organization')), mark: undefined, resource: r,
});

async function lines(section: Section, patient: string, count: number, t: TFunction): Promise<Line[]> {
  switch (section) {
    case 'immunizations': return (await search<Immunization>('Immunization', patient, 'date', count)).map(immunization(t)).sort(first);
    case 'problems': {
      const [problems, allergies] = await Promise.all([
        search<Condition>('Condition', patient, 'recorded-date', count), search<Allergy>('AllergyIntolerance', patient, 'date', count)]);
      // What can harm stands first, whatever its date.
      return [...allergies.map(allergy(t)).sort(first), ...problems.map(condition(t)).sort(first)];
    }
    case 'medicines': return (await search<MedicationRequest>('MedicationRequest', patient, 'authoredon', count)).map(medicine(t)).sort(first);
    case 'results': return (await search<Observation>('Observation', patient, 'date', count)).map(result(t)).sort(first);
    case 'visits': return (await search<Encounter>('Encounter', patient, 'date', count)).map(visit(t)).sort(first);
  }
}

/** useSection reads a part of the booklet, newest first; the home page asks for the first few only. */
export function useSection(section: Section, patient: string, count = 100): UseQueryResult<Line[]> {
  const { t, i18n } = useTranslation();
  return useQuery({
    queryKey: ['section', section, patient, count, i18n.language],
    queryFn: () => lines(section, patient, count, t),
    enabled: patient !== '',
  });
}

/** useDocuments reads the notes of a patient. */
export function useDocuments(patient: string): UseQueryResult<DocumentReference[]> {
  return useQuery({ queryKey: ['documents', patient], queryFn: () => search<DocumentReference>('DocumentReference', patient, 'date', 100), enabled: patient !== '' });
}
