import { Title } from '@mantine/core';
import { idOf } from '@shared/fhir';
import { formatDate } from '@shared/format';
import { Mark } from '@shared/ui/mark';
import { NotFound } from '@shared/ui/missing';
import { PageTitle } from '@shared/ui/page';
import { RefName } from '@shared/ui/reference';
import { Empty, View } from '@shared/ui/states';
import { IconAlertTriangle, IconChevronRight, IconNotes } from '@tabler/icons-react';
import { Link, useParams } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { Row } from './row';
import { isSection, type Line, sections, useDocuments, useSection } from './sections';
import { useSubject } from './subject';

/** Booklet shows the five parts. */
export function Booklet() {
  const { t } = useTranslation();
  const { subject } = useSubject();
  return (
    <>
      <PageTitle title={t('booklet.title')} hint={subject.name} />
      <div className="y-sheet y-lines">{sections.map((s) => <Row key={s} section={s} patient={subject.patient} />)}</div>
    </>
  );
}

/** ByWhom says who wrote an entry and where. */
export function ByWhom({ line }: { line: Line }) {
  return (
    <span className="y-quiet y-small" style={{ display: 'block' }}>
      <RefName reference={line.who} />{line.who && line.where ? ' · ' : ''}<RefName reference={line.where} />
    </span>
  );
}

/** LineMark: an allergy, or something that is over. */
export function LineMark({ line }: { line: Line }) {
  const { t } = useTranslation();
  if (line.mark === 'allergy') return <Mark tone="danger" icon={<IconAlertTriangle size={14} aria-hidden />}>{t('entry.mark.allergy')}</Mark>;
  if (line.mark === 'ended') return <Mark tone="quiet">{t('entry.mark.ended')}</Mark>;
  return null;
}

function byYear(lines: Line[]): [string, Line[]][] {
  const years = new Map<string, Line[]>();
  for (const l of lines) {
    const year = formatDate(l.date).slice(-4);
    years.set(year, [...(years.get(year) ?? []), l]);
  }
  return [...years].sort(([a], [b]) => b.localeCompare(a));
}

/** SectionTimeline lists a part of the booklet by year, newest first. */
export function SectionTimeline() {
  const { t } = useTranslation();
  const { section } = useParams({ strict: false });
  const { subject } = useSubject();
  const known = isSection(section) ? section : 'visits';
  const found = useSection(known, subject.patient);
  // Which visits have something to read.
  const documents = useDocuments(known === 'visits' ? subject.patient : '').data ?? [];
  const noted = new Set(documents.flatMap((d) => (d.context?.encounter ?? []).map(idOf)));
  const testid = (l: Line) => (l.resource.resourceType === 'MedicationRequest' ? 'entry-prescription' : noted.has(l.id) && known === 'visits' ? 'entry-note' : undefined);
  if (!isSection(section)) return <NotFound />;
  return (
    <>
      <PageTitle title={t(`section.${section}`)} hint={subject.name} back="/booklet" />
      <View query={found}>
        {(lines) => lines.length === 0 ? <Empty title={t(`empty.${section}.title`)} hint={t(`empty.${section}.hint`)} /> : byYear(lines).map(([year, own]) => (
          <section key={year}>
            <Title order={2} size="h3" mt="sm">{year || t('entry.undated')}</Title>
            <ol className="p-timeline">
              {own.map((l) => (
                <li key={`${l.resource.resourceType}-${l.id}`}>
                  <Link className="y-row" to={`/booklet/${section}/${l.id}`} data-testid={testid(l)}>
                    <span className="y-grow">
                      <span className="y-quiet y-small" style={{ display: 'block' }}>{formatDate(l.date)}</span>
                      <span style={{ fontWeight: 600, display: 'block' }}>{l.title}</span>
                      {l.text && <span style={{ display: 'block' }}>{l.text}</span>}
                      <ByWhom line={l} />
                      <LineMark line={l} />
                      {testid(l) === 'entry-note' && <Mark tone="own" icon={<IconNotes size={14} aria-hidden />}>{t('entry.hasNote')}</Mark>}
                    </span>
                    <IconChevronRight aria-hidden size={20} color="var(--quiet)" />
                  </Link>
                </li>
              ))}
            </ol>
          </section>
        ))}
      </View>
    </>
  );
}
