import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { PageTitle } from './page';
import { Empty, ErrorNote } from './states';

/** NotFound is the page for addresses that lead nowhere: give it to createRouter as defaultNotFoundComponent. */
export function NotFound() {
  const { t } = useTranslation('shared');
  return (
    <>
      <PageTitle title={t('notFound.title')} />
      <Empty title={t('notFound.title')} hint={t('notFound.hint')} action={<Button component={Link} to="/">{t('notFound.home')}</Button>} />
    </>
  );
}

/** Broken is drawn where a screen failed: give it to createRouter as defaultErrorComponent. */
export function Broken({ error }: { error: unknown }) {
  return <ErrorNote error={error} onRetry={() => window.location.reload()} />;
}
