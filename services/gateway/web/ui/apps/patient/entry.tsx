import { Button, Text, Title } from '@mantine/core';
import { type DocumentReference, type Encounter, idOf, type MedicationRequest, noteText, type Immunization, type Observation } from '@shared/fhir';
import { formatDate, formatDateTime } from '@shared/format';
import { NotFound } from '@shared/ui/missing';
import { PageTitle } from '@shared/ui/page';
import { PersonLine } from '@shared/ui/person';
import { RefName } from '@shared/ui/reference';
import { Empty, View } from '@shared/ui/states';
import { IconPrinter } from '@tabler/icons-react';
import { useParams } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { LineMark } from './booklet';
import { usePatient } from './patient';
import { isSection, type Line, useDocuments, useSection } from './sections';
import { useSubject } from './subject';

function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div style={{ padding: '10px 16px' }}>
      <dt className="y-quiet y-small">{label}</dt>
      <dd style={{ margin: 0 }}>{children}</dd>
    </div>
  );
}

/** Prescription is what a pharmacy reads; it prints on A5. */
function Prescription({ lines }: { lines: Line[] }) {
  const { t } = useTranslation();
  const { subject } = useSubject();
  const person = usePatient(subject.patient).data;
  const head = lines[0];
  if (!head) return null;
  return (
    <section data-testid="entry-prescription" style={{ marginTop: 24 }}>
      <Title order={2} size="h2" mb="xs">{t('prescription.title')}</Title>
      <div className="y-only-print">
        <p><strong>{subject.name}</strong>{person && <> · <PersonLine birthDate={person.birthDate} gender={person.gender} /></>}</p>
      </div>
      <ol className="y-sheet y-lines" style={{ margin: 0, padding: 0, listStyle: 'none' }}>
        {lines.map((l, i) => {
          const r = l.resource as MedicationRequest;
          const quantity = r.dispenseRequest?.quantity;
          return (
            <li key={l.id} style={{ padding: '12px 16px' }}>
              <Text fw={600}>{i + 1}. {l.title}</Text>
              {l.text && <Text>{l.text}</Text>}
              {quantity?.value !== undefined && <Text c="dimmed">{t('prescription.quantity', { n: quantity.value, unit: quantity.unit ?? '' })}</Text>}
              {(r.note ?? []).map((n) => n.text && <Text key={n.text}>{n.text}</Text>)}
            </li>
          );
        })}
      </ol>
      <Text c="dimmed" mt="xs"><RefName reference={head.who} /> · {formatDateTime(head.date)}</Text>
      <Button className="y-no-print" mt="sm" variant="light" leftSection={<IconPrinter size={20} aria-hidden />} onClick={() => window.print()}>{t('print')}</Button>
    </section>
  );
}

function VisitOutcome({ encounter }: { encounter: Encounter }) {
  const { t } = useTranslation();
  const { subject } = useSubject();
  const documents = useDocuments(subject.patient);
  const medicines = useSection('medicines', subject.patient);
  return (
    <>
      <View query={documents}>
        {(all) => {
          const notes = all.filter((d: DocumentReference) => (d.context?.encounter ?? []).some((e) => idOf(e) === encounter.id));
          return notes.length === 0 ? <Text c="dimmed" mt="md">{t('entry.noNote')}</Text> : notes.map((d) => (
            <section key={d.id} style={{ marginTop: 24 }}>
              <Title order={2} size="h2" mb="xs">{t('entry.note')}</Title>
              <div className="y-sheet p-note" data-testid="entry-note">{noteText(d)}</div>
              <Text c="dimmed" mt="xs"><RefName reference={d.author?.[0]} />{d.date && ` · ${formatDateTime(d.date)}`}</Text>
            </section>
          ));
        }}
      </View>
      <View query={medicines}>
        {(all) => <Prescription lines={all.filter((l) => idOf((l.resource as MedicationRequest).encounter) === encounter.id)} />}
      </View>
    </>
  );
}

/** EntryDetail shows one entry whole: what, when, who wrote it and where. */
export function EntryDetail() {
  const { t } = useTranslation();
  const { section, id } = useParams({ strict: false });
  const { subject } = useSubject();
  const found = useSection(isSection(section) ? section : 'visits', subject.patient);
  if (!isSection(section)) return <NotFound />;
  return (
    <View query={found}>
      {(lines) => {
        const line = lines.find((l) => l.id === id);
        if (!line) return <><PageTitle title={t(`section.${section}`)} back={`/booklet/${section}`} /><Empty title={t('entry.gone')} hint={t('entry.goneHint')} /></>;
        const r = line.resource;
        return (
          <>
            <PageTitle title={line.title} hint={formatDate(line.date)} back={`/booklet/${section}`} />
            <LineMark line={line} />
            <dl className="y-sheet y-lines" style={{ margin: '8px 0 0' }}>
              {line.text && <Fact label={t(`entry.text.${section}`)}>{line.text}</Fact>}
              {r.resourceType === 'Immunization' && (r as Immunization).lotNumber && <Fact label={t('entry.lot')}>{(r as Immunization).lotNumber}</Fact>}
              <Fact label={t('entry.when')}>{formatDateTime(line.date) || t('entry.undated')}</Fact>
              <Fact label={t('entry.who')}><RefName reference={line.who} otherwise={t('entry.notSaid')} /></Fact>
              <Fact label={t('entry.where')}><RefName reference={line.where} otherwise={t('entry.notSaid')} /></Fact>
            </dl>
            {r.resourceType === 'Encounter' && <VisitOutcome encounter={r as Encounter} />}
            {r.resourceType === 'Encounter' && <Measured encounter={r.id} />}
            {r.resourceType === 'MedicationRequest' && <Prescription lines={lines.filter((l) => sameSheet(l.resource as MedicationRequest, r as MedicationRequest))} />}
          </>
        );
      }}
    </View>
  );
}

// Medicines written in one consultation are one prescription.
function sameSheet(a: MedicationRequest, b: MedicationRequest): boolean {
  return a.id === b.id || (!!idOf(a.encounter) && idOf(a.encounter) === idOf(b.encounter));
}

function Measured({ encounter }: { encounter: string }) {
  const { t } = useTranslation();
  const { subject } = useSubject();
  const own = (useSection('results', subject.patient).data ?? []).filter((l) => idOf((l.resource as Observation).encounter) === encounter);
  if (own.length === 0) return null;
  return (
    <section style={{ marginTop: 24 }}>
      <Title order={2} size="h2" mb="xs">{t('entry.measured')}</Title>
      <dl className="y-sheet y-lines" style={{ margin: 0 }}>{own.map((l) => <Fact key={l.id} label={l.title}><strong>{l.text}</strong></Fact>)}</dl>
    </section>
  );
}
