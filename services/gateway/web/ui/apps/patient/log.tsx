import { Button, Text } from '@mantine/core';
import { formatDateTime } from '@shared/format';
import { access, type AuditEntry } from '@shared/services';
import { Mark } from '@shared/ui/mark';
import { PageTitle } from '@shared/ui/page';
import { RefName } from '@shared/ui/reference';
import { Empty, ErrorNote, Skeleton } from '@shared/ui/states';
import { IconBan, IconEye } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { useMe } from '@shared/who';
import { deed, thing } from './deeds';
import { useSubject } from './subject';

const page = 50;

function Row({ entry }: { entry: AuditEntry }) {
  const { t } = useTranslation();
  const me = useMe();
  const denied = entry.outcome === 'denied';
  const own = entry.account === me.id;
  return (
    <li className="y-row" data-testid="access-row" data-outcome={entry.outcome}>
      {denied ? <IconBan aria-hidden color="var(--lotus)" style={{ flex: 'none' }} /> : <IconEye aria-hidden color="var(--jade)" style={{ flex: 'none' }} />}
      <span className="y-grow">
        <span style={{ fontWeight: 600, display: 'block' }}>{own ? t('log.you') : entry.name || t('log.system')}</span>
        {entry.facility && <span style={{ display: 'block' }}><RefName reference={{ reference: `Organization/${entry.facility}` }} /></span>}
        <span style={{ display: 'block' }}>{denied ? t('log.tried', { what: `${t(`log.deed.${deed(entry.operation)}`)} ${t(`log.thing.${thing(entry)}`)}` }) : `${t(`log.deed.${deed(entry.operation)}`)} ${t(`log.thing.${thing(entry)}`)}`}</span>
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
  const entries = log.data?.pages.flat() ?? [];
  return (
    <>
      <PageTitle title={t('log.title')} hint={t('log.hint', { name: subject.name })} />
      {log.isPending && <Skeleton lines={6} height={40} />}
      {log.error && <ErrorNote error={log.error} onRetry={() => void log.refetch()} />}
      {log.data && entries.length === 0 && <Empty title={t('log.none')} hint={t('log.noneHint')} icon={<IconEye size={40} stroke={1.3} />} />}
      {entries.length > 0 && (
        <ol className="y-sheet y-lines" style={{ listStyle: 'none', margin: 0, padding: 0 }}>
          {entries.map((e) => <Row key={e.seq} entry={e} />)}
        </ol>
      )}
      {log.hasNextPage && <Button mt="md" variant="light" fullWidth loading={log.isFetchingNextPage} onClick={() => void log.fetchNextPage()}>{t('log.more')}</Button>}
      <Text mt="md" c="dimmed" size="sm">{t('log.about')}</Text>
    </>
  );
}
