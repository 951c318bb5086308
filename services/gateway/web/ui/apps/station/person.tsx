import { Button, Group, Stack, Text, Title } from '@mantine/core';
import { formatDate, formatNumber } from '@shared/format';
import { type Person, stations } from '@shared/services';
import { Mark } from '@shared/ui/mark';
import { PageTitle } from '@shared/ui/page';
import { PersonLine } from '@shared/ui/person';
import { ErrorNote, View } from '@shared/ui/states';
import { language } from '@shared/words';
import { IconAlertTriangle, IconClock, IconId, IconStethoscope, IconUserCheck, IconVaccine } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { Ticket } from './account';
import { useToday } from './home';
import { measures } from './vitals';

/** usePerson reads a resident with the last values. */
export function usePerson() {
  const { id } = useParams({ strict: false }) as { id: string };
  return useQuery({ queryKey: ['station', 'person', id], queryFn: () => stations.getPerson({ patient: id }) });
}

/** Alerts is what must be seen before anything is given: allergies in red, lasting diseases beside them. */
export function Alerts({ person }: { person: Person }) {
  const { t } = useTranslation();
  return (
    <Stack gap={8} mb="md">
      {person.allergies.length > 0 && <div className="s-alert"><IconAlertTriangle aria-hidden style={{ flex: 'none' }} /><span>{t('person.allergies', { list: person.allergies.join(', ') })}</span></div>}
      {person.conditions.length > 0 && <Text><b style={{ fontWeight: 600 }}>{t('person.conditions')}</b> {person.conditions.join(', ')}</Text>}
    </Stack>
  );
}

// The service names the unit in Vietnamese; the form's code has words in both languages.
const unitOf = (m: { kind: string; unit: string }) => measures.find((x) => x.kind === m.kind)?.unit ?? m.unit;

// Systolic over diastolic is one value to everybody who reads it.
function lastValues(person: Person): { kind: string; value: string; unit: string; at: string }[] {
  const lang = language();
  const of = (kind: string) => person.last.find((m) => m.kind === kind);
  const [high, low] = [of('systolic'), of('diastolic')];
  const rest = person.last.filter((m) => !(high && low && (m.kind === 'systolic' || m.kind === 'diastolic')));
  const pressure = high && low ? [{ kind: 'bloodPressure', value: `${high.value}/${low.value}`, unit: high.unit, at: high.at }] : [];
  return [...pressure, ...rest.map((m) => ({ kind: m.kind, value: formatNumber(m.value, lang), unit: unitOf(m), at: m.at }))];
}

function Values({ person }: { person: Person }) {
  const { t } = useTranslation();
  const values = lastValues(person);
  if (values.length === 0) return <Text c="dimmed" className="y-sheet" p="md">{t('person.noValues')}</Text>;
  return (
    <dl className="y-sheet s-vitals">
      {values.map((v) => (
        <div key={v.kind}>
          <dt>{t(`vital.${v.kind}`)}</dt>
          <dd><b>{v.value}</b> <span className="y-quiet y-small">{t(`unit.${v.unit}`, { defaultValue: v.unit })}</span></dd>
          <dd className="y-quiet y-small">{formatDate(v.at)}</dd>
        </div>
      ))}
    </dl>
  );
}

function Vaccinations({ person }: { person: Person }) {
  const { t } = useTranslation();
  const due = useToday().data?.due.filter((d) => d.patient === person.patient) ?? [];
  if (due.length === 0) return null;
  return (
    <section>
      <Title order={2} mb="xs">{t('person.due')}</Title>
      <ul className="y-sheet y-lines" style={{ listStyle: 'none', margin: 0, padding: 0 }}>
        {due.map((d) => (
          <li key={`${d.vaccine}-${d.dose}`}>
            <Link className="y-row" to={`/people/${person.patient}/immunization?vaccine=${encodeURIComponent(d.vaccine)}&dose=${d.dose}`}>
              <span className="y-grow">{t('today.dose', { vaccine: d.vaccineName, dose: d.dose })}</span>
              <Mark tone={d.overdue ? 'attention' : 'due'} icon={<IconClock size={14} aria-hidden />}>{t(d.overdue ? 'today.overdue' : 'today.due', { date: formatDate(d.due) })}</Mark>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

function About({ person, opening, error, onOpen }: { person: Person; opening: boolean; error: unknown; onOpen: () => void }) {
  const { t } = useTranslation();
  return (
    <section>
      <Title order={2} mb="xs">{t('person.about')}</Title>
      <div className="y-sheet y-lines">
        {person.phone && <a className="y-row" href={`tel:${person.phone}`}><span className="y-quiet">{t('person.phone')}</span><span className="y-grow" style={{ color: 'var(--jade)', fontWeight: 600 }}>{person.phone}</span></a>}
        {person.address && <div className="y-row"><span className="y-quiet">{t('person.address')}</span><span className="y-grow">{person.address}</span></div>}
        {person.identifiers.map((i) => <div className="y-row" key={`${i.kind}-${i.value}`}><span className="y-quiet">{t(`person.identifier.${i.kind}`)}</span><span className="y-grow">{i.value}</span></div>)}
        {person.hasAccount
          ? <div className="y-row"><Mark tone="own" icon={<IconUserCheck size={14} aria-hidden />}>{t('person.hasAccount')}</Mark></div>
          : (
            <div style={{ padding: 16 }}>
              <Text size="sm" c="dimmed" mb="xs">{t('account.explain')}</Text>
              <Button variant="light" fullWidth loading={opening} onClick={onOpen} data-testid="open-account" leftSection={<IconId aria-hidden />}>{t('person.openAccount')}</Button>
              {Boolean(error) && <ErrorNote error={error} inline />}
            </div>
          )}
      </div>
    </section>
  );
}

/** PersonPage: who it is, what to mind, the last values, and what can be done. */
export function PersonPage() {
  const { t } = useTranslation();
  const person = usePerson();
  const queries = useQueryClient();
  const account = useMutation({
    mutationFn: (patient: string) => stations.openAccount({ patient }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['station', 'person'] }),
  });
  return (
    <View query={person} lines={6}>
      {(p) => account.data ? <Ticket person={p} username={account.data.username} code={account.data.activationCode} onDone={account.reset} /> : (
        <>
          <PageTitle title={p.name} back="/" />
          <Text mt={-12} mb="md"><PersonLine birthDate={p.birthDate} gender={p.gender} /></Text>
          <Alerts person={p} />
          <div className="s-two">
            <Stack gap="lg">
              <section><Title order={2} mb="xs">{t('person.values')}</Title><Values person={p} /></section>
              <Vaccinations person={p} />
            </Stack>
            <About person={p} opening={account.isPending} error={account.error} onOpen={() => account.mutate(p.patient)} />
          </div>
          <div className="s-thumb y-no-print">
            <Group gap={8} wrap="nowrap" grow preventGrowOverflow={false}>
              <Button component={Link} to={`/people/${p.patient}/visit`} size="lg" px={8} data-testid="visit-new" leftSection={<IconStethoscope aria-hidden />}>{t('person.visit')}</Button>
              <Button component={Link} to={`/people/${p.patient}/immunization`} size="lg" px={8} variant="light" data-testid="immunization-new" leftSection={<IconVaccine aria-hidden />}>{t('person.vaccinate')}</Button>
            </Group>
          </div>
        </>
      )}
    </View>
  );
}
