import { Text, Title } from '@mantine/core';
import { fhir } from '@shared/api';
import { active, type Allergy, type Bundle, type Condition, type Encounter, type MedicationRequest, type Observation, type Resource, resourcesOf, vitalsOf, words } from '@shared/fhir';
import { formatDate } from '@shared/format';
import { RefName } from '@shared/ui/reference';
import { View } from '@shared/ui/states';
import { IconAlertTriangle, IconCircleCheck } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { lazy, type ReactNode, Suspense } from 'react';
import { useTranslation } from 'react-i18next';

const Vitals = lazy(() => import('./vitals').then((m) => ({ default: m.Vitals })));

function useRecord<R extends Resource>(type: string, patient: string, query: string, reason: string) {
  return useQuery({
    queryKey: ['record', type, patient, query],
    queryFn: async () => resourcesOf(await fhir<Bundle<R>>(`${type}?patient=${encodeURIComponent(patient)}&${query}`, { reason })),
  });
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return <section><Title order={2}>{title}</Title>{children}</section>;
}

function Alerts({ patient, reason }: { patient: string; reason: string }) {
  const { t } = useTranslation();
  const found = useRecord<Allergy>('AllergyIntolerance', patient, '_count=50', reason);
  return (
    <View query={found} lines={1}>
      {(all) => {
        const now = all.filter(active);
        if (now.length === 0) return <div className="c-alert" data-none><IconCircleCheck size={20} aria-hidden />{t('record.noAllergies')}</div>;
        return (
          <div className="c-alert" role="note">
            <IconAlertTriangle size={20} aria-hidden style={{ flex: 'none', marginTop: 2 }} />
            <span>{t('record.allergies')} {now.map((a) => {
              const signs = (a.reaction ?? []).flatMap((r) => r.manifestation ?? []).map(words).filter(Boolean).join(', ');
              return words(a.code) + (signs ? ` (${signs})` : '');
            }).join('; ')}</span>
          </div>
        );
      }}
    </View>
  );
}

/** Record is the patient's story in one column: what can harm first. */
export function Record({ patient, reason }: { patient: string; reason: string }) {
  const { t } = useTranslation();
  const problems = useRecord<Condition>('Condition', patient, '_sort=-recorded-date&_count=50', reason);
  const medicines = useRecord<MedicationRequest>('MedicationRequest', patient, '_sort=-authoredon&_count=20', reason);
  const vitals = useRecord<Observation>('Observation', patient, 'category=vital-signs&_sort=-date&_count=100', reason);
  const visits = useRecord<Encounter>('Encounter', patient, '_sort=-date&_count=5', reason);
  return (
    <>
      <section><Alerts patient={patient} reason={reason} /></section>
      <Part title={t('record.problems')}>
        <View query={problems} lines={2}>
          {(all) => {
            const now = all.filter((p) => active(p) && words(p.code));
            // The same problem is often written at each visit.
            const once = [...new Map(now.map((p) => [words(p.code), p])).values()];
            return once.length === 0 ? <Text c="dimmed">{t('record.noProblems')}</Text> : (
              <ul className="c-list y-lines">{once.map((p) => <li key={p.id}><strong>{words(p.code)}</strong> <span className="y-quiet y-small">{formatDate(p.onsetDateTime ?? p.recordedDate)}</span></li>)}</ul>
            );
          }}
        </View>
      </Part>
      <Part title={t('record.medicines')}>
        <View query={medicines} lines={2}>
          {(all) => {
            const now = all.filter((m) => !m.status || m.status === 'active');
            return now.length === 0 ? <Text c="dimmed">{t('record.noMedicines')}</Text> : (
              <ul className="c-list y-lines">
                {now.slice(0, 8).map((m) => (
                  <li key={m.id}><strong>{words(m.medicationCodeableConcept)}</strong> <span>{m.dosageInstruction?.[0]?.text}</span> <span className="y-quiet y-small">{formatDate(m.authoredOn)}</span></li>
                ))}
              </ul>
            );
          }}
        </View>
      </Part>
      <Part title={t('record.vitals')}>
        <View query={vitals} lines={3}>{(all) => <Suspense><Vitals series={vitalsOf(all)} /></Suspense>}</View>
      </Part>
      <Part title={t('record.visits')}>
        <View query={visits} lines={3}>
          {(all) => all.length === 0 ? <Text c="dimmed">{t('record.noVisits')}</Text> : (
            <ul className="c-list y-lines">
              {all.map((e) => (
                <li key={e.id}>
                  <span className="y-quiet y-small">{formatDate(e.period?.start)} · <RefName reference={e.serviceProvider} otherwise={e.class?.code === 'VR' ? t('record.remote') : ''} /></span>
                  <div>{(e.reasonCode ?? []).map(words).filter(Boolean).join(', ') || t('record.visit')}</div>
                </li>
              ))}
            </ul>
          )}
        </View>
      </Part>
    </>
  );
}
