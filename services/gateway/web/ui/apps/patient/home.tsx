import { Button, Group, Text, Title } from '@mantine/core';
import { formatDate, formatTime, isoDay } from '@shared/format';
import { Initials } from '@shared/ui/person';
import { PageTitle } from '@shared/ui/page';
import { ErrorNote, Skeleton } from '@shared/ui/states';
import { IconVideo } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { ConsultationAction } from './action';
import { Row } from './row';
import { sections } from './sections';
import { useSubject } from './subject';
import { useUpcoming } from './upcoming';

function Next() {
  const { t } = useTranslation();
  const { subject } = useSubject();
  const upcoming = useUpcoming(subject.patient);
  if (upcoming.error && !upcoming.data) return <ErrorNote error={upcoming.error} onRetry={() => void upcoming.refetch()} />;
  if (!upcoming.data) return <div className="y-sheet p-next"><Skeleton lines={3} /></div>;
  const next = upcoming.data.find((c) => c.status === 'active') ?? upcoming.data.find((c) => c.status === 'waiting') ?? upcoming.data[0];
  if (!next) {
    return (
      <section className="y-sheet p-next">
        <Title order={2} size="h3">{t('home.nothing')}</Title>
        <Text mb="sm">{t('home.nothingHint')}</Text>
        <Button component={Link} to="/book" fullWidth>{t('home.book')}</Button>
      </section>
    );
  }
  const today = isoDay(new Date(next.start)) === isoDay(new Date());
  return (
    <section className="y-sheet y-lift p-next" aria-label={t('home.next')}>
      <Group gap={8} mb={4} c="var(--jade)"><IconVideo size={20} aria-hidden /><Text fw={600}>{t('home.remote')}</Text></Group>
      <Title order={2} size="h2">
        {today ? t('home.today', { time: formatTime(next.start) }) : t('home.at', { time: formatTime(next.start), date: formatDate(next.start) })}
      </Title>
      <Text mb="md">{next.doctorName}{next.facilityName && ` · ${next.facilityName}`}</Text>
      <ConsultationAction consultation={next} />
      <Button component={Link} to={`/consultation/${next.id}`} variant="subtle" fullWidth mt={4}>{t('home.details')}</Button>
    </section>
  );
}

/** Home: who I am, what comes next, and the booklet. */
export function Home() {
  const { t } = useTranslation();
  const { subject, all, open } = useSubject();
  return (
    <>
      <Group wrap="nowrap" gap="sm" align="center">
        <Initials name={subject.name} />
        <div className="y-grow"><PageTitle title={subject.name} hint={t('home.hello')} /></div>
      </Group>
      {all.length > 1 && (
        <fieldset style={{ border: 0, padding: 0, margin: '0 0 16px' }}>
          <legend className="y-quiet y-small">{t('home.whose')}</legend>
          <Group gap={8} mt={4}>
            {all.map((s) => (
              <Button key={s.patient} variant={s.patient === subject.patient ? 'light' : 'default'} aria-pressed={s.patient === subject.patient} onClick={() => open(s.patient)}>{s.name}</Button>
            ))}
          </Group>
        </fieldset>
      )}
      <Next />
      <Title order={2} size="h2" mt="lg" mb="xs">{t('home.booklet')}</Title>
      <div className="y-sheet y-lines">
        {sections.map((s) => <Row key={s} section={s} patient={subject.patient} />)}
      </div>
    </>
  );
}
