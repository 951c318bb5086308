import { Button, Text } from '@mantine/core';
import { formatDateTime } from '@shared/format';
import { access, type AuditEntry } from '@shared/services';
import { Mark } from '@shared/ui/mark';
import { PageTitle } from '@shared/ui/page';
import { RefName } from '@shared/ui/reference';
import { Empty, ErrorNote, Skeleton } from '@shared/ui/states';
import { IconBan, IconEye } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useMe } from '@shared/who';
import { deed, thing } from './deeds';
import { useSubject } from './subject';

const page = 200;

// Looks of one person that follow each other within this time are one visit to the booklet.
const together = 15 * 60_000;

/** Look is one or more entries of one person in one go. */
interface Look { entry: AuditEntry; said: string[] }


function gather(entries: AuditEntry[], say: (e: AuditEntry) => string): Look[] {
  const looks: Look[] = [];
  for (const entry of entries) {
    const open = looks.findLast((l) => l.entry.account === entry.account && l.entry.service === entry.service && l.entry.outcome === entry.outcome);
    if (open && new Date(open.entry.at).getTime() - new Date(entry.at).getTime() < together) {
      if (!open.said.includes(say(entry))) open.said.push(say(entry));
    } else {
      looks.push({ entry, said: [say(entry)] });
    }
  }
  return looks;
}

function Row({ look: { entry, said } }: { look: Look }) {
  const { t } = useTranslation();
  const me = useMe();
  const denied = entry.outcome === 'denied';
  const own = entry.account === me.id;
  return (
    <li className="y-row" data-testid="access-row" data-outcome={entry.outcome}>
      {denied ? <IconBan aria-hidden color="var(--lotus)" style={{ flex: 'none' }} /> : <IconEye aria-hidden color="var(--jade)" style={{ flex: 'none' }} />}
      <span className="y-grow">
        <span style={{ fontWeight: 600, display: 'block' }}>{own ? t('log.you') : (entry.account ? entry.name : t(entry.service === 'yba' ? 'log.operator' : 'log.system'))}</span>
        {entry.facility && <span style={{ display: 'block' }}><RefName reference={{ reference: `Organization/${entry.facility}` }} /></span>}
        <span style={{ display: 'block' }}>{denied ? t('log.tried', { what: said.join(', ') }) : said.join(', ')}</span>
        <span className="y-quiet y-small" style={{ display: 'block' }}>{formatDateTime(entry.at)}</span>
        {denied && <Mark tone="attention">{t('log.denied')}</Mark>}
      </span>
    </li>
  );
}

/** AccessLog tells in plain words who looked at the record, and who tried. */
export function AccessLog() {
  const { t } = useTranslation();
  const { subject } = useSubject();
  const log = useInfiniteQuery({
    queryKey: ['access-log', subject.patient],
    queryFn: async ({ pageParam }) => (await access.accessLog({ patient: subject.patient, before: pageParam, limit: page })).entries,
    initialPageParam: '0',
    getNextPageParam: (last) => (last.length < page ? undefined : last[last.length - 1]?.seq),
    enabled: subject.patient !== '',
  });
  const me = useMe();
  const [mine, showMine] = useState(false);
  const all = log.data?.pages.flat() ?? [];
  const entries = gather(mine ? all : all.filter((e) => e.account !== me.id), (e) => `${t(`log.deed.${deed(e.operation)}`)} ${t(`log.thing.${thing(e)}`)}`);
  return (
    <>
      <PageTitle title={t('log.title')} hint={t('log.hint', { name: subject.name })} />
      <Button variant="default" mb="md" aria-pressed={mine} onClick={() => showMine(!mine)}>{mine ? t('log.hideMine') : t('log.showMine')}</Button>
      {log.isPending && <Skeleton lines={6} height={40} />}
      {log.error && <ErrorNote error={log.error} onRetry={() => void log.refetch()} />}
      {log.data && entries.length === 0 && <Empty title={t('log.none')} hint={t('log.noneHint')} icon={<IconEye size={40} stroke={1.3} />} />}
      {entries.length > 0 && (
        <ol className="y-sheet y-lines" style={{ listStyle: 'none', margin: 0, padding: 0 }}>
          {entries.map((l) => <Row key={l.entry.seq} look={l} />)}
        </ol>
      )}
      {log.hasNextPage && <Button mt="md" variant="light" fullWidth loading={log.isFetchingNextPage} onClick={() => void log.fetchNextPage()}>{t('log.more')}</Button>}
      <Text mt="md" c="dimmed" size="sm">{t('log.about')}</Text>
    </>
  );
}
