import { IconBell, IconBellRinging } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { notices } from '../services';

export { NoticesPage } from './notices-page';

/** useNotices reads the newest notices, again every minute. */
export function useNotices() {
  return useQuery({ queryKey: ['notices'], queryFn: () => notices.list({ limit: 50 }), refetchInterval: 60_000 });
}

/** NoticesBell leads to /notices and tells how many are unread. */
export function NoticesBell() {
  const { t } = useTranslation('shared');
  const unread = useNotices().data?.unread ?? 0;
  return (
    <Link to="/notices" aria-label={unread ? t('notices.unread', { count: unread }) : t('notices.title')}
      style={{ display: 'grid', placeItems: 'center', width: 44, height: 44, position: 'relative', color: 'var(--ink)' }}>
      {unread ? <IconBellRinging aria-hidden /> : <IconBell aria-hidden />}
      {unread > 0 && (
        <span aria-hidden style={{ position: 'absolute', top: 2, right: 0, minWidth: 20, height: 20, padding: '0 5px', borderRadius: 10, background: 'var(--lotus)', color: 'var(--paper)', fontSize: 13, lineHeight: '20px', fontWeight: 600, textAlign: 'center' }}>{unread > 9 ? '9+' : unread}</span>
      )}
    </Link>
  );
}
