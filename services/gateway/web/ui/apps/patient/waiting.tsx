import '@shared/styles-forms.css';
import { Button, Text, Title } from '@mantine/core';
import { formatTime } from '@shared/format';
import { useLive } from '@shared/rtc/live';
import { Preview } from '@shared/rtc/preview';
import { PageTitle } from '@shared/ui/page';
import { View } from '@shared/ui/states';
import { useQueryClient } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ConsultationAction } from './action';
import { useConsultation } from './consultation';

/** WaitingRoom keeps the patient company until the doctor calls, and lets camera and microphone be tried. */
export function WaitingRoom() {
  const { t } = useTranslation();
  const { id = '' } = useParams({ strict: false });
  const queries = useQueryClient();
  const found = useConsultation(id);
  const [trying, tryOut] = useState(false);
  const status = found.data?.status;
  const standing = useLive(id, (m) => {
    if (m.type === 'consultation') queries.setQueryData(['consultation', id], m.consultation);
  });
  useEffect(() => {
    // Home and the list of bookings must not tell an older state.
    if (status) void queries.invalidateQueries({ queryKey: ['consultations'] });
  }, [status, queries]);
  return (
    <>
      <PageTitle title={t('waiting.title')} back={`/consultation/${id}`} />
      <div role="status">{!standing && <div className="y-line" data-tone="due">{t('waiting.lost')}</div>}</div>
      <View query={found}>
        {(c) => (
          <>
            <div className="y-sheet y-lift p-next" role="status" aria-live="polite">
              {c.status === 'active' ? (
                <>
                  <Title order={2} size="h2">{t('waiting.ready')}</Title>
                  <Text mb="md">{t('waiting.readyHint')}</Text>
                </>
              ) : c.status === 'waiting' ? (
                <>
                  <Text>{c.place === 1 ? t('waiting.next') : t('waiting.place')}</Text>
                  {c.place > 0 && <div className="p-place" data-testid="waiting-place">{c.place}</div>}
                  <Text>{t('waiting.kind')}</Text>
                </>
              ) : (
                <Text mb="md">{c.status === 'booked' ? t('waiting.notHere') : t(`status.${c.status}`)}</Text>
              )}
              {c.status !== 'waiting' && <ConsultationAction consultation={c} />}
              {c.status === 'ended' && c.encounter && <Button component={Link} to={`/booklet/visits/${c.encounter}`} fullWidth>{t('consultation.outcome')}</Button>}
              <Text c="dimmed" mt="sm">{c.doctorName} · {formatTime(c.start)}</Text>
            </div>
            {(c.status === 'waiting' || c.status === 'booked') && (
              <section style={{ marginTop: 24 }}>
                <Title order={2} size="h2">{t('waiting.test')}</Title>
                <Text mb="sm">{t('waiting.testHint')}</Text>
                {trying ? <Preview /> : <Button variant="light" fullWidth onClick={() => tryOut(true)}>{t('waiting.startTest')}</Button>}
              </section>
            )}
          </>
        )}
      </View>
    </>
  );
}
