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

function DueRow({ due }: { due: DueOne }) {
  const { t } = useTranslation();
  const toAge = useAge();
  return (
    <li className="y-row" style={{ flexWrap: 'wrap' }} data-testid="due">
      <span className="y-grow" style={{ minWidth: 200 }}>
        <Link to={`/people/${due.patient}`} style={{ fontWeight: 600, display: 'inline-block', minHeight: 24 }}>{due.name}</Link>
        <span className="y-small" style={{ display: 'block' }}>{t('today.dose', { vaccine: due.vaccineName, dose: due.dose })}</span>
        <span className="y-quiet y-small" style={{ display: 'block' }}>{[toAge(due.birthDate), due.hamlet].filter(Boolean).join(' · ')}</span>
        <Group gap={8} mt={4}>
          {due.overdue
            ? <Mark tone="attention" icon={<IconClock size={14} aria-hidden />}>{t('today.overdue', { date: formatDate(due.due) })}</Mark>
            : <Mark tone="due" icon={<IconClock size={14} aria-hidden />}>{t('today.due', { date: formatDate(due.due) })}</Mark>}
        </Group>
      </span>
      <Group gap={8} wrap="nowrap">
        {due.phone && <Button component="a" href={`tel:${due.phone}`} variant="default" aria-label={t('today.call', { name: due.name })} px={12}><IconPhone size={20} aria-hidden /></Button>}
        <Button component={Link} to={`/people/${due.patient}/immunization?vaccine=${encodeURIComponent(due.vaccine)}&dose=${due.dose}`} variant="light"
          leftSection={<IconVaccine size={20} aria-hidden />} aria-label={t('today.vaccinateWho', { name: due.name })}>{t('today.vaccinate')}</Button>
      </Group>
    </li>
  );
}

function Due({ list }: { list: DueOne[] }) {
  const { t } = useTranslation();
  const [all, setAll] = useState(false);
  // The longest overdue first.
  const sorted = [...list].sort((a, b) => a.due.localeCompare(b.due));
  const shown = all ? sorted : sorted.slice(0, 12);
  return (
    <section>
      <Title order={2} mb="xs">{t('today.dueTitle')} <Text span c="dimmed">{list.length}</Text></Title>
      <div className="y-sheet">
        {list.length === 0 ? <Empty title={t('today.nothingDue')} hint={t('today.nothingDueHint')} icon={<IconVaccine size={40} stroke={1.3} />} /> : (
          <>
            <ul className="y-lines" style={{ listStyle: 'none', margin: 0, padding: 0 }}>
              {shown.map((d) => <DueRow key={`${d.patient}-${d.vaccine}-${d.dose}`} due={d} />)}
            </ul>
            {shown.length < sorted.length && <Button variant="subtle" fullWidth onClick={() => setAll(true)}>{t('today.more', { count: sorted.length - shown.length })}</Button>}
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
