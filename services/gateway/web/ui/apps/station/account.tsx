import { Button, Stack, Text } from '@mantine/core';
import type { Person } from '@shared/services';
import { PageTitle } from '@shared/ui/page';
import { IconPrinter } from '@tabler/icons-react';
import { useTranslation } from 'react-i18next';

/** Ticket shows the activation code to hand over or print. It is shown this once and kept nowhere. */
export function Ticket({ person, username, code, onDone }: { person: Person; username: string; code: string; onDone: () => void }) {
  const { t } = useTranslation();
  return (
    <div className="s-one">
      <PageTitle title={t('account.title')} hint={person.name} />
      <Stack gap="md">
        <section className="y-sheet" style={{ padding: 24 }} aria-label={t('account.ticket')}>
          <Text>{t('account.step1', { address: `${window.location.origin}/patient/` })}</Text>
          <Text mt="md">{t('account.username')}</Text>
          <div className="s-code" data-testid="activation-username" style={{ letterSpacing: 'normal' }}>{username}</div>
          <Text mt="md">{t('account.code')}</Text>
          <div className="s-code" data-testid="activation-code">{code}</div>
          <Text mt="md">{t('account.step2')}</Text>
        </section>
        <Text c="var(--amber-text)" fw={600} className="y-no-print">{t('account.once')}</Text>
        <Button size="lg" variant="light" className="y-no-print" leftSection={<IconPrinter aria-hidden />} onClick={() => window.print()}>{t('account.print')}</Button>
        <Button size="lg" className="y-no-print" onClick={onDone} data-testid="activation-done">{t('account.finished')}</Button>
      </Stack>
    </div>
  );
}
