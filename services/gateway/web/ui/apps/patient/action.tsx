import { Button, Text } from '@mantine/core';
import { formatTime, isoDay } from '@shared/format';
import { type Consultation, consults } from '@shared/services';
import { ErrorNote } from '@shared/ui/states';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useRouter } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';

// The waiting room opens half an hour before (services/consults).
const early = 30 * 60_000;

/** ConsultationAction is the one next step: to the waiting room, or into the room. */
export function ConsultationAction({ consultation }: { consultation: Consultation }) {
  const { t } = useTranslation();
  const router = useRouter();
  const queries = useQueryClient();
  const { id, status, start } = consultation;
  const checkIn = useMutation({
    mutationFn: () => consults.checkIn({ id }),
    onSuccess: (now) => {
      queries.setQueryData(['consultation', id], now);
      void queries.invalidateQueries({ queryKey: ['consultations'] });
      void router.navigate({ to: `/consultation/${id}/waiting` });
    },
  });
  if (status === 'active') {
    return <Button component={Link} to={`/consultation/${id}/room`} fullWidth size="lg" data-testid="enter-room">{t('action.room')}</Button>;
  }
  if (status === 'waiting') {
    return <Button component={Link} to={`/consultation/${id}/waiting`} fullWidth size="lg">{t('action.waiting')}</Button>;
  }
  if (status !== 'booked') return null;
  const opens = new Date(new Date(start).getTime() - early);
  if (opens > new Date()) {
    return isoDay(opens) === isoDay(new Date()) ? <Text>{t('action.opens', { time: formatTime(opens) })}</Text> : null;
  }
  return (
    <>
      <Button fullWidth size="lg" data-testid="checkin" loading={checkIn.isPending} onClick={() => checkIn.mutate()}>{t('action.waiting')}</Button>
      {checkIn.error && <ErrorNote error={checkIn.error} inline />}
    </>
  );
}
