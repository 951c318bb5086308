import { Text, Title } from '@mantine/core';
import { formatTime, minutesSince } from '@shared/format';
import type { Consultation } from '@shared/services';
import { Mark } from '@shared/ui/mark';
import { useAge } from '@shared/ui/person';
import { View } from '@shared/ui/states';
import { IconArrowRight, IconClock, IconVideo } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useToday, useTodayLive } from './day-data';

function useMinute(): Date {
  const [now, set] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => set(new Date()), 20_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

function Item({ c, now, next }: { c: Consultation; now: Date; next?: boolean }) {
  const { t } = useTranslation();
  const toAge = useAge();
  return (
    <li>
      <Link to={`/consultation/${c.id}`} className="c-item" activeProps={{ className: 'active', 'aria-current': 'page' }} data-next={next || undefined} data-testid="queue-item" data-status={c.status}>
        <span style={{ display: 'flex', gap: 8, justifyContent: 'space-between', flexWrap: 'wrap' }}>
          <strong>{c.patientName}</strong>
          <span className="y-quiet y-small">{formatTime(c.start)}</span>
        </span>
        <span className="y-small" style={{ display: 'block' }}>{toAge(c.birthDate)}{c.reason && ` · ${c.reason}`}</span>
        {c.status === 'waiting' && <Mark tone={next ? 'own' : 'quiet'} icon={next ? <IconArrowRight size={14} aria-hidden /> : <IconClock size={14} aria-hidden />}>
          {next ? `${t('queue.next')} · ` : ''}{t('queue.waited', { count: minutesSince(c.checkedIn, now) })}
        </Mark>}
        {c.status === 'active' && <Mark tone="own" icon={<IconVideo size={14} aria-hidden />}>{t('queue.active')}</Mark>}
      </Link>
    </li>
  );
}

function Part({ title, list, now, empty, mark }: { title: string; list: Consultation[]; now: Date; empty?: string; mark?: boolean }) {
  if (list.length === 0 && !empty) return null;
  return (
    <>
      <Title order={2} size="h3">{title}{list.length > 0 && ` (${list.length})`}</Title>
      {list.length === 0 ? <Text c="dimmed" size="sm" px={8} mb="md">{empty}</Text> : (
        <ul>{list.map((c, i) => <Item key={c.id} c={c} now={now} next={mark === true && i === 0} />)}</ul>
      )}
    </>
  );
}

/** Queue is who waits, how long and why; the next one is marked. */
export function Queue() {
  const { t } = useTranslation();
  const today = useToday();
  const standing = useTodayLive();
  const now = useMinute();
  return (
    <nav className="c-queue y-no-print" aria-label={t('queue.label')}>
      <div role="status">{!standing && <Text size="sm" c="var(--amber-text)" px={8} mb="xs">{t('queue.lost')}</Text>}</div>
      <View query={today}>
        {(d) => (
          <>
            <Part title={t('queue.running')} list={d.active} now={now} />
            <Part title={t('queue.invited')} list={d.invited} now={now} />
            <Part title={t('queue.waiting')} list={d.waiting} now={now} empty={t('queue.nobody')} mark />
            <Part title={t('queue.booked')} list={d.booked} now={now} />
          </>
        )}
      </View>
    </nav>
  );
}
