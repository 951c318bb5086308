import { Button, Group, Text, TextInput, Title } from '@mantine/core';
import { formatDate, formatTime } from '@shared/format';
import { stations } from '@shared/services';
import { Mark } from '@shared/ui/mark';
import { PageTitle } from '@shared/ui/page';
import { useAge } from '@shared/ui/person';
import { Empty, ErrorNote, Skeleton, View } from '@shared/ui/states';
import { IconClock, IconPhone, IconSearch, IconUserPlus, IconVaccine } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { PeopleList, usePeople } from './people';

/** useToday is the station's list of the day. */
export function useToday() {
  return useQuery({ queryKey: ['station', 'today'], queryFn: () => stations.today({}), refetchInterval: 60_000 });
}

type Today = NonNullable<ReturnType<typeof useToday>['data']>;
type DueOne = Today['due'][number];

// The doses of one person stand together: the family comes once.
function byPerson(list: DueOne[]): DueOne[][] {
  const people = new Map<string, DueOne[]>();
  // The longest overdue first.
  for (const d of [...list].sort((a, b) => a.due.localeCompare(b.due))) people.set(d.patient, [...(people.get(d.patient) ?? []), d]);
  return [...people.values()];
}

function DuePerson({ doses }: { doses: DueOne[] }) {
  const { t } = useTranslation();
  const toAge = useAge();
  const [first] = doses;
  if (!first) return null;
  return (
    <li style={{ padding: '8px 16px' }} data-testid="due">
      <Group wrap="nowrap" gap={8} mb={4}>
        <span className="y-grow">
          <Link to={`/people/${first.patient}`} style={{ fontWeight: 600, display: 'inline-block', padding: '6px 0' }}>{first.name}</Link>
          <span className="y-quiet y-small" style={{ display: 'block' }}>{[toAge(first.birthDate), first.hamlet].filter(Boolean).join(' · ')}</span>
        </span>
        {first.phone && <Button component="a" href={`tel:${first.phone}`} variant="default" aria-label={t('today.call', { name: first.name })} px={12}><IconPhone size={20} aria-hidden /></Button>}
      </Group>
      {doses.map((d) => (
        <Link key={`${d.vaccine}-${d.dose}`} className="s-dose" to={`/people/${d.patient}/immunization?vaccine=${encodeURIComponent(d.vaccine)}&dose=${d.dose}`}>
          <IconVaccine size={20} aria-hidden color="var(--jade)" style={{ flex: 'none' }} />
          <span style={{ flex: '1 1 180px' }}>{t('today.dose', { vaccine: d.vaccineName, dose: d.dose })}</span>
          <Mark tone={d.overdue ? 'attention' : 'due'} icon={<IconClock size={14} aria-hidden />}>{t(d.overdue ? 'today.overdue' : 'today.due', { date: formatDate(d.due) })}</Mark>
        </Link>
      ))}
    </li>
  );
}

function Due({ list }: { list: DueOne[] }) {
  const { t } = useTranslation();
  const [all, setAll] = useState(false);
  const people = byPerson(list);
  const shown = all ? people : people.slice(0, 12);
  return (
    <section>
      <Title order={2} mb="xs">{t('today.dueTitle')} <Text span c="dimmed">{t('today.people', { count: people.length })}</Text></Title>
      <div className="y-sheet">
        {people.length === 0 ? <Empty title={t('today.nothingDue')} hint={t('today.nothingDueHint')} icon={<IconVaccine size={40} stroke={1.3} />} /> : (
          <>
            <ul className="y-lines" style={{ listStyle: 'none', margin: 0, padding: 0 }}>
              {shown.map((doses) => <DuePerson key={doses[0]?.patient} doses={doses} />)}
            </ul>
            {shown.length < people.length && <Button variant="subtle" fullWidth onClick={() => setAll(true)}>{t('today.more', { count: people.length - shown.length })}</Button>}
          </>
        )}
      </div>
    </section>
  );
}

function Done({ today }: { today: Today }) {
  const { t } = useTranslation();
  return (
    <section>
      <Title order={2} mb="xs">{t('today.doneTitle')}</Title>
      <dl className="y-sheet s-counts">
        <div><dt>{t('today.registered')}</dt><dd>{today.registered}</dd></div>
        <div><dt>{t('today.visits')}</dt><dd>{today.visits}</dd></div>
        <div><dt>{t('today.immunizations')}</dt><dd>{today.immunizations}</dd></div>
      </dl>
      {today.done.length > 0 && (
        <ul className="y-sheet y-lines" style={{ listStyle: 'none', margin: '12px 0 0', padding: 0 }}>
          {today.done.map((d) => (
            <li key={`${d.patient}-${d.kind}-${d.at}`}>
              <Link className="y-row" to={`/people/${d.patient}`}>
                <span className="y-quiet">{formatTime(d.at)}</span>
                <span className="y-grow"><b style={{ fontWeight: 600 }}>{d.name}</b><span className="y-quiet y-small" style={{ display: 'block' }}>{d.text}</span></span>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Found({ typed }: { typed: string }) {
  const { t } = useTranslation();
  const found = usePeople(typed);
  if (found.error) return <ErrorNote error={found.error} onRetry={() => void found.refetch()} />;
  if (!found.data) return <Skeleton lines={3} height={56} />;
  const { people } = found.data;
  return (
    <section aria-live="polite" aria-busy={found.isFetching}>
      <Text c="dimmed" size="sm" mb="xs">{t('people.found', { count: people.length })}</Text>
      {people.length > 0 ? <PeopleList people={people} testid="person-row" />
        : <div className="y-sheet"><Empty title={t('people.none')} hint={t('people.noneHint')} action={<Button component={Link} to="/people/new" variant="light">{t('people.new')}</Button>} /></div>}
    </section>
  );
}

/** Home: find somebody, register somebody, and the day's list. */
export function Home() {
  const { t } = useTranslation();
  const [typed, setTyped] = useState('');
  const today = useToday();
  const searching = typed.trim().length >= 2;
  return (
    <>
      <PageTitle title={t('home.title', { date: formatDate(new Date()) })} />
      <Group align="flex-end" gap="sm" mb="lg" wrap="nowrap">
        <TextInput className="y-grow" size="lg" type="search" label={t('home.search')} description={t('home.searchHint')} data-testid="search" autoComplete="off" enterKeyHint="search"
          leftSection={<IconSearch size={22} aria-hidden />} value={typed} onChange={(e) => setTyped(e.currentTarget.value)} />
      </Group>
      {searching ? <Found typed={typed} /> : (
        <View query={today} lines={6}>
          {(data) => <div className="s-two"><Due list={data.due} /><Done today={data} /></div>}
        </View>
      )}
      <div className="s-thumb y-no-print">
        <Button component={Link} to="/people/new" size="lg" fullWidth data-testid="new-person" leftSection={<IconUserPlus aria-hidden />}>{t('people.new')}</Button>
      </div>
    </>
  );
}
