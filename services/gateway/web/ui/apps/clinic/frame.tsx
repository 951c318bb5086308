import { Button, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import { signOut } from '@shared/session';
import { LanguageSwitch } from '@shared/ui/language';
import { NoticesBell } from '@shared/ui/notices';
import { OnlineLine } from '@shared/ui/online';
import { useMe } from '@shared/who';
import { IconLogout, IconMoon, IconSun } from '@tabler/icons-react';
import { Link, Outlet, useLocation } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { Queue } from './queue';

function Scheme() {
  const { t } = useTranslation('shared');
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme('light') === 'dark';
  return (
    <Button variant="subtle" color="gray" c="var(--quiet)" size="compact-md" leftSection={dark ? <IconSun size={18} aria-hidden /> : <IconMoon size={18} aria-hidden />} onClick={() => setColorScheme(dark ? 'light' : 'dark')}>
      {dark ? t('scheme.light') : t('scheme.dark')}
    </Button>
  );
}

/** Frame: the head, the queue at the left, and the work beside it. */
export function Frame() {
  const { t } = useTranslation();
  const me = useMe();
  const desk = useLocation({ select: (l) => l.pathname.includes('/consultation/') });
  return (
    <>
      <a className="y-skip" href="#main">{t('skip')}</a>
      <header className="c-head y-no-print">
        <Link to="/" className="c-brand"><img src="/icon.svg" alt="" width={26} height={26} />{t('app')}</Link>
        <span className="y-grow" />
        <span className="y-quiet">{me.name}</span>
        <Scheme />
        <LanguageSwitch />
        <NoticesBell />
        <Button variant="subtle" color="gray" c="var(--quiet)" size="compact-md" leftSection={<IconLogout size={18} aria-hidden />} onClick={() => void signOut()}>{t('signOut')}</Button>
      </header>
      <OnlineLine />
      <div className="c-body" data-desk={desk || undefined}>
        <Queue />
        <main id="main" tabIndex={-1}><Outlet /></main>
      </div>
    </>
  );
}
