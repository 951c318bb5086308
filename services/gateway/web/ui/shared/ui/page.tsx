import { Group, Text, Title } from '@mantine/core';
import { IconChevronLeft } from '@tabler/icons-react';
import { useRouter } from '@tanstack/react-router';
import { type ReactNode, useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';

let first = true;

/** PageTitle is a screen's one h1; it names the tab and takes the focus when the screen changes. */
export function PageTitle({ title, hint, back, aside }: { title: string; hint?: string; back?: string; aside?: ReactNode }) {
  const { t } = useTranslation('shared');
  const heading = useRef<HTMLHeadingElement>(null);
  const router = useRouter();
  useEffect(() => {
    document.title = `${title} · ${t('product')}`;
  }, [title, t]);
  useEffect(() => {
    // Not on the first page: a reader starts at the top of the document there.
    if (!first) heading.current?.focus({ preventScroll: true });
    first = false;
  }, []);
  return (
    <Group wrap="nowrap" gap="xs" mb="md" align="flex-start">
      {back && (
        <button type="button" className="y-icon y-no-print" aria-label={t('back')} onClick={() => void router.navigate({ to: back })}>
          <IconChevronLeft aria-hidden />
        </button>
      )}
      <div className="y-grow" style={{ paddingTop: back ? 5 : 0 }}>
        <Title order={1} ref={heading} tabIndex={-1}>{title}</Title>
        {hint && <Text c="dimmed">{hint}</Text>}
      </div>
      {aside}
    </Group>
  );
}
