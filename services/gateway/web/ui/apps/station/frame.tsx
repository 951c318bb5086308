import { Button, Menu } from '@mantine/core';
import { signOut } from '@shared/session';
import { useOtherLanguage } from '@shared/ui/language';
import { NoticesBell } from '@shared/ui/notices';
import { useMe } from '@shared/who';
import { IconLanguage, IconLogout, IconUserCircle } from '@tabler/icons-react';
import { Link, Outlet } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { OutboxProvider } from './outbox';
import { SyncLine } from './sync';

/** Frame is what stays: the head with the nurse's name, and the sync line. */
export function Frame() {
  const { t } = useTranslation();
  const me = useMe();
  const { other, label, choose } = useOtherLanguage();
  return (
    <OutboxProvider>
      <a className="y-skip" href="#main">{t('skip')}</a>
      <header className="y-no-print s-header">
        <div className="s-head">
          <Link to="/" className="s-brand"><img src="/icon.svg" alt="" width={28} height={28} /><span>{t('brand')}</span></Link>
          <span className="y-grow" />
          <NoticesBell />
          <Menu position="bottom-end" width={260}>
            <Menu.Target>
              <Button variant="subtle" color="gray" c="var(--ink)" px={8} aria-label={t('menu', { name: me.name })}>
                <IconUserCircle aria-hidden /><span className="s-name">{me.name}</span>
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Label c="var(--quiet)" fz="sm">{me.name}</Menu.Label>
              <Menu.Item lang={other} leftSection={<IconLanguage size={18} aria-hidden />} onClick={choose}>{label}</Menu.Item>
              <Menu.Divider />
              <Menu.Item leftSection={<IconLogout size={18} aria-hidden />} onClick={() => void signOut()}>{t('signOut')}</Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </div>
        <SyncLine />
      </header>
      <main id="main" tabIndex={-1} className="s-page"><Outlet /></main>
    </OutboxProvider>
  );
}
