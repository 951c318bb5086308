import '@shared/styles-forms.css';
import { Button, Text, Textarea, Title } from '@mantine/core';
import { formatDate, formatTime, isoDay, weekday } from '@shared/format';
import { type Consultation, consults, type Slot } from '@shared/services';
import { Initials } from '@shared/ui/person';
import { PageTitle } from '@shared/ui/page';
import { Empty, ErrorNote, View } from '@shared/ui/states';
import { useTell } from '@shared/ui/toasts';
import { IconChevronRight } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useParams, useRouter, useSearch } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useSubject } from './subject';
import { useUpcoming } from './upcoming';

const useDoctors = () => useQuery({ queryKey: ['doctors'], queryFn: async () => (await consults.listDoctors()).doctors });

function Upcoming() {
  const { t } = useTranslation();
  const { subject } = useSubject();
  const found = useUpcoming(subject.patient).data ?? [];
  if (found.length === 0) return null;
  return (
    <section style={{ marginBottom: 24 }}>
      <Title order={2} size="h2" mb="xs">{t('book.mine')}</Title>
      <div className="y-sheet y-lines">
        {found.map((c) => (
          <Link key={c.id} className="y-row" to={`/consultation/${c.id}`}>
            <span className="y-grow">
              <span style={{ fontWeight: 600, display: 'block' }}>{formatTime(c.start)} · {formatDate(c.start)}</span>
              <span style={{ display: 'block' }}>{c.doctorName}</span>
              <span className="y-quiet y-small">{t(`status.${c.status}`)}</span>
            </span>
            <IconChevronRight aria-hidden size={20} color="var(--quiet)" />
          </Link>
        ))}
      </div>
    </section>
  );
}

/** Doctors lists who can be booked, the next free time beside each. */
export function Doctors() {
  const { t } = useTranslation();
  const { subject } = useSubject();
  const doctors = useDoctors();
  return (
    <>
      <PageTitle title={t('book.title')} hint={t('book.for', { name: subject.name })} />
      <Upcoming />
      <Title order={2} size="h2" mb="xs">{t('book.choose')}</Title>
      <View query={doctors}>
        {(found) => found.length === 0 ? <Empty title={t('book.none')} hint={t('book.noneHint')} /> : (
          <div className="y-sheet y-lines">
            {found.map((d) => (
              <Link key={d.id} className="y-row" to={`/book/${d.id}`} data-testid="book-doctor">
                <Initials name={d.name} />
                <span className="y-grow">
                  <span style={{ fontWeight: 600, display: 'block' }}>{d.name}</span>
                  <span style={{ display: 'block' }}>{[d.specialty, d.facilityName].filter(Boolean).join(' · ')}</span>
                  <span className="y-quiet y-small">
                    {d.nextFree ? t('book.free', { time: formatTime(d.nextFree), date: formatDate(d.nextFree) }) : t('book.full')}
                  </span>
                </span>
                <IconChevronRight aria-hidden size={20} color="var(--quiet)" />
              </Link>
            ))}
          </div>
        )}
      </View>
    </>
  );
}

function byDay(slots: Slot[]): [string, Slot[]][] {
  const days = new Map<string, Slot[]>();
  for (const s of slots) {
    const day = isoDay(new Date(s.start));
    days.set(day, [...(days.get(day) ?? []), s]);
  }
  return [...days];
}

/** Slots: choose a time, say why, confirm. With ?move=<id> it moves a booking instead. */
export function Slots() {
  const { t } = useTranslation();
  const { doctor } = useParams({ strict: false });
  const { move } = useSearch({ strict: false }) as { move?: string | number };
  const moving = move === undefined ? '' : String(move);
  const { subject } = useSubject();
  const router = useRouter();
  const queries = useQueryClient();
  const tell = useTell();
  const who = useDoctors().data?.find((d) => d.id === doctor);
  const [chosen, choose] = useState<Slot | 'now'>();
  const [reason, setReason] = useState('');
  // One id for this page: a retry on a bad line books once.
  const request = useRef(crypto.randomUUID());
  const step = useRef<HTMLDivElement>(null);
  const slots = useQuery({
    queryKey: ['slots', doctor],
    queryFn: async () => (await consults.listSlots({ doctor: doctor ?? '', from: isoDay(new Date()), days: 14 })).slots,
  });
  useEffect(() => {
    if (chosen) step.current?.scrollIntoView({ block: 'nearest' });
  }, [chosen]);
  const confirm = useMutation<Consultation, Error, Slot | 'now'>({
    mutationFn: (slot) => moving && slot !== 'now'
      ? consults.reschedule({ id: moving, start: slot.start })
      : consults.book({ patient: subject.patient, doctor: doctor ?? '', start: slot === 'now' ? '' : slot.start, reason: reason.trim(), requestId: request.current }),
    onSuccess: (booked) => {
      void queries.invalidateQueries({ queryKey: ['consultations'] });
      queries.setQueryData(['consultation', booked.id], booked);
      tell(moving ? t('book.moved') : t('book.done'));
      void router.navigate({ to: `/consultation/${booked.id}`, replace: true });
    },
    onError: () => void slots.refetch(),
  });
  return (
    <>
      <PageTitle title={moving ? t('book.move') : (who?.name ?? t('book.title'))} hint={moving ? who?.name ?? '' : [who?.specialty, who?.facilityName].filter(Boolean).join(' · ')} back={moving ? `/consultation/${moving}` : '/book'} />
      {!moving && (
        <button type="button" className="p-slot p-now" data-testid="slot-now" aria-pressed={chosen === 'now'} onClick={() => choose('now')}>
          {t('book.now')}<span className="y-small" style={{ display: 'block', fontWeight: 400 }}>{t('book.nowHint')}</span>
        </button>
      )}
      <View query={slots}>
        {(found) => found.length === 0 ? <Text c="dimmed">{t('book.full')}. {t('book.fullHint')}</Text> : (
          <div className="p-days">
            {byDay(found).map(([day, own]) => (
              <section key={day} aria-labelledby={`day-${day}`}>
                <Title order={2} size="h3" id={`day-${day}`}>
                  {day === isoDay(new Date()) ? t('book.today') : t(`weekday.${weekday(new Date(own[0]?.start ?? day))}`)} · {formatDate(day)}
                </Title>
                <ul className="p-slots">
                  {own.map((s) => (
                    <li key={s.start}>
                      <button type="button" className="p-slot" data-testid="slot" aria-pressed={chosen !== 'now' && chosen?.start === s.start} onClick={() => choose(s)}>{formatTime(s.start)}</button>
                    </li>
                  ))}
                </ul>
              </section>
            ))}
          </div>
        )}
      </View>
      {chosen && (
        <div ref={step} className="y-sheet y-lift p-step">
          <Text fw={600}>{chosen === 'now' ? t('book.now') : `${formatTime(chosen.start)} · ${formatDate(chosen.start)}`}</Text>
          {!moving && (
            <Textarea mt="xs" label={t('book.reason')} data-testid="book-reason" description={t('book.reasonHint')} value={reason} maxLength={500} autosize minRows={2} maxRows={4}
              onChange={(e) => setReason(e.currentTarget.value)} />
          )}
          {confirm.error && <ErrorNote error={confirm.error} inline />}
          <Button fullWidth size="lg" mt="sm" data-testid="book-confirm" loading={confirm.isPending} onClick={() => confirm.mutate(chosen)}>
            {moving ? t('book.confirmMove') : t('book.confirm')}
          </Button>
        </div>
      )}
    </>
  );
}
