import { Button, Group, Text } from '@mantine/core';
import { formatDate, formatTime } from '@shared/format';
import { type Consultation, consults } from '@shared/services';
import { Mark } from '@shared/ui/mark';
import { PageTitle } from '@shared/ui/page';
import { ErrorNote, View } from '@shared/ui/states';
import { useTell } from '@shared/ui/toasts';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ConsultationAction } from './action';

/** useConsultation reads one consultation. */
export function useConsultation(id: string) {
  return useQuery({ queryKey: ['consultation', id], queryFn: () => consults.get({ id }) });
}

function CancelStep({ consultation, onKeep }: { consultation: Consultation; onKeep: () => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const tell = useTell();
  const cancel = useMutation({
    mutationFn: () => consults.cancel({ id: consultation.id, reason: '' }),
    onSuccess: (now) => {
      queries.setQueryData(['consultation', now.id], now);
      void queries.invalidateQueries({ queryKey: ['consultations'] });
      tell(t('consultation.cancelled'));
    },
  });
  return (
    <fieldset className="y-sheet" style={{ padding: 16, margin: '16px 0 0' }}>
      <legend style={{ fontWeight: 600, padding: '0 4px' }}>{t('consultation.cancelAsk')}</legend>
      <Text>{t('consultation.cancelHint')}</Text>
      {cancel.error && <ErrorNote error={cancel.error} inline />}
      <Group mt="sm">
        <Button color="red" loading={cancel.isPending} onClick={() => cancel.mutate()}>{t('consultation.cancel')}</Button>
        <Button variant="default" onClick={onKeep}>{t('consultation.keep')}</Button>
      </Group>
    </fieldset>
  );
}

/** ConsultationDetail: when, with whom, and what can be done. */
export function ConsultationDetail() {
  const { t } = useTranslation();
  const { id = '' } = useParams({ strict: false });
  const found = useConsultation(id);
  const [asking, ask] = useState(false);
  return (
    <>
      <PageTitle title={t('consultation.title')} back="/" />
      <View query={found}>
        {(c) => (
          <>
            <div className="y-sheet p-next">
              <Mark tone={c.status === 'active' || c.status === 'waiting' ? 'own' : 'quiet'}>{t(`status.${c.status}`)}</Mark>
              <Text fw={600} size="xl" mt={4}>{formatTime(c.start)} · {formatDate(c.start)}</Text>
              <Text>{c.doctorName}{c.facilityName && ` · ${c.facilityName}`}</Text>
              {c.reason && <Text mt="xs"><span className="y-quiet">{t('consultation.reason')}</span> {c.reason}</Text>}
              <div style={{ marginTop: 16 }}><ConsultationAction consultation={c} /></div>
              {c.status === 'ended' && c.encounter && (
                <Button component={Link} to={`/booklet/visits/${c.encounter}`} fullWidth>{t('consultation.outcome')}</Button>
              )}
            </div>
            {(c.status === 'cancelled' || c.status === 'missed') && <Button component={Link} to={`/book/${c.doctor}`} variant="light" fullWidth mt="md">{t('consultation.again')}</Button>}
            {c.status === 'booked' && <Text mt="md" c="dimmed">{t('consultation.prepare')}</Text>}
            {(c.status === 'booked' || c.status === 'waiting') && (asking ? <CancelStep consultation={c} onKeep={() => ask(false)} /> : (
              <Group mt="md">
                {c.status === 'booked' && <Button component={Link} to={`/book/${c.doctor}`} search={{ move: c.id } as never} variant="default">{t('book.move')}</Button>}
                <Button variant="subtle" color="red" onClick={() => ask(true)}>{t('consultation.cancel')}</Button>
              </Group>
            ))}
          </>
        )}
      </View>
    </>
  );
}
