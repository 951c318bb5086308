import { OnlineLine } from '@shared/ui/online';
import { NoticesBell } from '@shared/ui/notices';
import { IconBook2, IconCalendarPlus, IconEye, IconHome, IconQrcode, IconSettings } from '@tabler/icons-react';
import { Link, Outlet, useLocation } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { SubjectProvider } from './subject';

const tabs = [
  { to: '/', icon: IconHome, key: 'tab.home' },
  { to: '/booklet', icon: IconBook2, key: 'tab.booklet' },
  { to: '/book', icon: IconCalendarPlus, key: 'tab.book' },
  { to: '/access', icon: IconEye, key: 'tab.log' },
] as const;

const square = { display: 'grid', placeItems: 'center', width: 44, height: 44, color: 'var(--ink)' } as const;

/** Frame is what stays: the head with identity and notices, and the bar of four at the foot. */
export function Frame() {
  const { t } = useTranslation();
  const path = useLocation({ select: (l) => l.pathname });
  // The picture has the whole screen.
  const room = path.endsWith('/room');
  return (
    <SubjectProvider>
      <a className="y-skip" href="#main">{t('skip')}</a>
      {!room && (
        <header className="y-no-print">
          <div className="p-head">
            <Link to="/" className="p-brand"><img src="/icon.svg" alt="" width={28} height={28} />{t('product')}</Link>
            <span className="y-grow" />
            <Link to="/identity" aria-label={t('identity.title')} style={square}><IconQrcode aria-hidden /></Link>
            <NoticesBell />
            <Link to="/settings" aria-label={t('settings.title')} style={square}><IconSettings aria-hidden /></Link>
          </div>
          <OnlineLine />
        </header>
      )}
      <main id="main" tabIndex={-1} className={room ? undefined : 'p-page'}><Outlet /></main>
      {!room && (
        <nav className="p-bar y-no-print" aria-label={t('tab.label')}>
          <ul>
            {tabs.map(({ to, icon: Icon, key }) => (
              <li key={to}>
                <Link to={to} activeOptions={{ exact: to === '/' }} activeProps={{ className: 'active', 'aria-current': 'page' }}>
                  <Icon aria-hidden size={24} stroke={1.6} />{t(key)}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
      )}
    </SubjectProvider>
  );
}
