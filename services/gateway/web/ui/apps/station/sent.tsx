import { Button, Group, Text } from '@mantine/core';
import type { Entry } from '@shared/outbox';
import type { Person } from '@shared/services';
import { Mark } from '@shared/ui/mark';
import { PageTitle } from '@shared/ui/page';
import { Empty, Skeleton } from '@shared/ui/states';
import { useTell } from '@shared/ui/toasts';
import { IconAlertTriangle, IconCheck, IconCloudUpload } from '@tabler/icons-react';
import { useTranslation } from 'react-i18next';
import { peopleIn, twins, useEntries, useOutbox } from './outbox';
import { PeopleList } from './people';
import { moment } from './sync';

function State({ entry }: { entry: Entry }) {
  const { t } = useTranslation();
  if (entry.state === 'sent') return <Mark tone="own" icon={<IconCheck size={14} aria-hidden />}>{t('sent.sent', { time: moment(entry.sent ?? '') })}</Mark>;
  if (entry.state === 'waiting') return <Mark tone="due" icon={<IconCloudUpload size={14} aria-hidden />}>{t('sent.waiting')}</Mark>;
  return <Mark tone="attention" icon={<IconAlertTriangle size={14} aria-hidden />}>{t('sent.refused')}</Mark>;
}

function Refused({ entry }: { entry: Entry }) {
  const { t } = useTranslation();
  const { outbox } = useOutbox();
  const tell = useTell();
  const same: Person[] = entry.message === twins ? peopleIn(entry.answer) : [];
  const discard = async () => {
    const undo = await outbox.discard(entry.id);
    tell(t('sent.discarded'), { label: t('sent.undo'), run: () => void undo() });
  };
  return (
    <div>
      <Text size="sm">{entry.message === twins ? t('sent.twins') : entry.message || t(`error.${entry.refused ?? 'internal'}.happened`)}</Text>
      {same.length > 0 && <PeopleList people={same} reasons />}
      <Group gap={8} mt={8}>
        {entry.message === twins
          ? <Button variant="light" onClick={() => void outbox.retry(entry.id, { notADuplicate: true })}>{t('register.another')}</Button>
          : <Button variant="light" onClick={() => void outbox.retry(entry.id)}>{t('sent.again')}</Button>}
        <Button variant="default" onClick={() => void discard()}>{t('sent.discard')}</Button>
      </Group>
    </div>
  );
}

/** OutboxPage lists what was entered on this device, each with its true state. */
export function OutboxPage() {
  const { t } = useTranslation();
  const { outbox, status } = useOutbox();
  const entries = useEntries();
  return (
    <>
      <PageTitle title={t('sent.title')} hint={t('sent.hint')} back="/"
        aside={(status?.waiting ?? 0) > 0 && <Button variant="light" onClick={() => void outbox.flush()}>{t('sent.now')}</Button>} />
      {!entries ? <Skeleton lines={4} /> : entries.length === 0 ? <Empty title={t('sent.none')} hint={t('sent.noneHint')} /> : (
        <ul className="y-sheet y-lines" style={{ listStyle: 'none', margin: 0, padding: 0 }}>
          {entries.map((e) => (
            <li key={e.id} className="y-row" style={{ alignItems: 'flex-start', flexWrap: 'wrap' }} data-testid="entry" data-state={e.state}>
              <span className="y-grow" style={{ minWidth: 180 }}>
                <span style={{ fontWeight: 600, display: 'block' }}>{e.about.name}</span>
                <span className="y-quiet y-small">{t(`sent.kind.${e.about.kind}`)} · {t('sent.made', { time: moment(e.made) })}</span>
                {e.state === 'refused' && <Refused entry={e} />}
              </span>
              <State entry={e} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
