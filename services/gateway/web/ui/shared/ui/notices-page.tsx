import { Button } from '@mantine/core';
import { IconBell } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { formatDateTime } from '../format';
import { notices } from '../services';
import { useNotices } from './notices';
import { PageTitle } from './page';
import { Empty, View } from './states';

/** NoticesPage lists what happened; opening one marks it as read. */
export function NoticesPage() {
  const { t } = useTranslation('shared');
  const list = useNotices();
  const queries = useQueryClient();
  const router = useRouter();
  const read = useMutation({
    mutationFn: (id: string) => notices.markRead({ id }),
    onSettled: () => queries.invalidateQueries({ queryKey: ['notices'] }),
  });
  const open = (link: string) => {
    const base = router.options.basepath ?? '';
    void router.navigate({ to: link.startsWith(`${base}/`) ? link.slice(base.length) : link });
  };
  return (
    <>
      <PageTitle title={t('notices.title')} back="/" aside={
        (list.data?.unread ?? 0) > 0 && <Button variant="subtle" onClick={() => read.mutate('')}>{t('notices.readAll')}</Button>} />
      <View query={list}>
        {({ notices: found }) => found.length === 0
          ? <Empty title={t('notices.none')} hint={t('notices.noneHint')} icon={<IconBell size={40} stroke={1.3} />} />
          : (
            <div className="y-sheet y-lines">
              {found.map((n) => (
                <button type="button" key={n.id} className="y-row" onClick={() => { if (!n.read) read.mutate(n.id); if (n.link) open(n.link); }}>
                  <span className="y-grow">
                    <span style={{ fontWeight: n.read ? 400 : 600, display: 'block' }}>{n.title}</span>
                    {n.text && <span style={{ display: 'block' }}>{n.text}</span>}
                    <span className="y-quiet y-small">{formatDateTime(n.at)}{n.read ? '' : ` · ${t('notices.new')}`}</span>
                  </span>
                </button>
              ))}
            </div>
          )}
      </View>
    </>
  );
}
