import { Button, Popover, Stack, Text } from '@mantine/core';
import { signOut } from '@shared/session';
import { LanguageSwitch } from '@shared/ui/language';
import { NoticesBell } from '@shared/ui/notices';
import { useMe } from '@shared/who';
import { IconLogout, IconUserCircle } from '@tabler/icons-react';
import { Link, Outlet } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { OutboxProvider } from './outbox';
import { SyncLine } from './sync';

/** Frame is what stays: the head with the nurse's name, and the sync line. */
export function Frame() {
  const { t } = useTranslation();
  const me = useMe();
  return (
    <OutboxProvider>
      <a className="y-skip" href="#main">{t('skip')}</a>
      <header className="y-no-print s-header">
        <div className="s-head">
          <Link to="/" className="s-brand"><img src="/icon.svg" alt="" width={28} height={28} /><span>{t('brand')}</span></Link>
          <span className="y-grow" />
          <NoticesBell />
          {/* Two plain buttons in a popover: a menu's role would promise arrow keys and nothing but items. */}
          <Popover position="bottom-end" width={260} trapFocus returnFocus>
            <Popover.Target>
              <Button variant="subtle" color="gray" c="var(--ink)" px={8} aria-label={t('menu', { name: me.name })} data-testid="me">
                <IconUserCircle aria-hidden /><span className="s-name">{me.name}</span>
              </Button>
            </Popover.Target>
            <Popover.Dropdown>
              <Text c="dimmed" size="sm" mb={4}>{me.name}</Text>
              <Stack gap={4} align="flex-start">
                <LanguageSwitch />
                <Button variant="subtle" color="gray" c="var(--quiet)" size="compact-md" leftSection={<IconLogout size={18} aria-hidden />} onClick={() => void signOut()}>{t('signOut')}</Button>
              </Stack>
            </Popover.Dropdown>
          </Popover>
        </div>
        <SyncLine />
      </header>
      <main id="main" tabIndex={-1} className="s-page"><Outlet /></main>
    </OutboxProvider>
  );
}
