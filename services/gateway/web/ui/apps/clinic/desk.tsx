import '@shared/rtc/rtc.css';
import { Button, Tabs, Text } from '@mantine/core';
import { formatDateTime, formatTime, minutesSince } from '@shared/format';
import { useLive } from '@shared/rtc/live';
import { type Consultation, consults } from '@shared/services';
import { PageTitle } from '@shared/ui/page';
import { PersonLine } from '@shared/ui/person';
import { ErrorNote, View } from '@shared/ui/states';
import { useMe } from '@shared/who';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { Note } from './note';
import { Prescription } from './prescription';
import { Record } from './record';

const Room = lazy(() => import('./room').then((m) => ({ default: m.Room })));

function Admit({ c }: { c: Consultation }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const admit = useMutation({
    mutationFn: () => consults.admit({ id: c.id }),
    onSuccess: (now) => {
      queries.setQueryData(['consultation', c.id], now);
      void queries.invalidateQueries({ queryKey: ['today'] });
    },
  });
  return (
    <div className="y-sheet" style={{ padding: 24 }}>
      <Text>{t('desk.waits', { count: minutesSince(c.checkedIn, new Date()) })}</Text>
      <Text size="lg" my="xs"><span className="y-quiet">{t('desk.reason')}</span> {c.reason || t('desk.noReason')}</Text>
      {admit.error && <ErrorNote error={admit.error} inline />}
      <Button size="lg" data-testid="admit" loading={admit.isPending} onClick={() => admit.mutate()}>{t('desk.admit')}</Button>
    </div>
  );
}

function Middle({ c, own }: { c: Consultation; own: boolean }) {
  const { t } = useTranslation();
  if (c.status === 'active') return <Suspense><Room consultation={c} own={own} /></Suspense>;
  if (c.status === 'waiting' && own) return <Admit c={c} />;
  const words = c.status === 'booked' ? t('desk.booked', { time: formatTime(c.start) }) : c.status === 'ended' ? t('desk.ended', { time: formatDateTime(c.ended) }) : t(`status.${c.status}`);
  return (
    <div className="y-sheet" style={{ padding: 24 }}>
      <Text>{words}</Text>
      {c.reason && <Text mt="xs"><span className="y-quiet">{t('desk.reason')}</span> {c.reason}</Text>}
    </div>
  );
}

/** Desk is where the doctor works: the picture, the note beneath, the record beside it. */
export function Desk() {
  const { id = '' } = useParams({ strict: false });
  // Another consultation is another desk: nothing of one may stay in the other.
  return <DeskOf key={id} id={id} />;
}

function DeskOf({ id }: { id: string }) {
  const { t } = useTranslation();
  const me = useMe();
  const queries = useQueryClient();
  const found = useQuery({ queryKey: ['consultation', id], queryFn: () => consults.get({ id }) });
  useLive(id, (m) => {
    if (m.type === 'consultation') queries.setQueryData(['consultation', id], m.consultation);
  });
  if (!found.data) return <div className="c-page"><PageTitle title={t('desk.title')} back="/" /><View query={found}>{() => null}</View></div>;
  const c = found.data;
  const own = c.doctor === me.id;
  return (
    <div className="c-desk">
      <div className="c-middle">
        <PageTitle title={c.patientName} back="/" />
        <Middle c={c} own={own} />
        {own && (c.status === 'active' || c.status === 'ended') && (
          <div className="c-write">
            <Tabs defaultValue="note" keepMounted>
              <Tabs.List>
                <Tabs.Tab value="note">{t('note.tab')}</Tabs.Tab>
                <Tabs.Tab value="prescription" data-testid="rx-tab">{t('rx.tab')}{c.prescriptions.length > 0 && ` (${c.prescriptions.length})`}</Tabs.Tab>
              </Tabs.List>
              <Tabs.Panel value="note" pt="sm"><Note consultation={c} /></Tabs.Panel>
              <Tabs.Panel value="prescription" pt="sm"><Prescription consultation={c} /></Tabs.Panel>
            </Tabs>
          </div>
        )}
      </div>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard (WCAG 2.1.1) */}
      <aside className="c-side" aria-label={t('record.label')} tabIndex={0}>
        <Text><PersonLine birthDate={c.birthDate} gender={c.gender} /></Text>
        <Record patient={c.patient} reason={`consultation/${c.id}`} />
      </aside>
    </div>
  );
}
