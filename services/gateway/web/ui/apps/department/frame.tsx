import { Button } from '@mantine/core';
import { signOut } from '@shared/session';
import { LanguageSwitch } from '@shared/ui/language';
import { OnlineLine } from '@shared/ui/online';
import { useMe } from '@shared/who';
import { IconLogout } from '@tabler/icons-react';
import { Link, Outlet } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';

/** Frame is what stays: who is signed in, the language, the way out. */
export function Frame() {
  const { t } = useTranslation();
  const me = useMe();
  return (
    <>
      <a className="y-skip" href="#main">{t('skip')}</a>
      <header className="y-no-print d-header">
        <div className="d-head">
          <Link to="/" className="d-brand"><img src="/icon.svg" alt="" width={28} height={28} /><span>{t('brand')}</span></Link>
          <span className="y-grow" />
          <span className="y-quiet y-small d-me">{me.name}</span>
          <LanguageSwitch />
          <Button variant="subtle" color="gray" c="var(--quiet)" size="compact-md" leftSection={<IconLogout size={18} aria-hidden />} onClick={() => void signOut()}>{t('signOut')}</Button>
        </div>
        <OnlineLine />
      </header>
      <main id="main" tabIndex={-1} className="d-page"><Outlet /></main>
    </>
  );
}
