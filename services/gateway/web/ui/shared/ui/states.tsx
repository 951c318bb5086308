import { Button, Group, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle, IconNotebook } from '@tabler/icons-react';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from '../api';
import { said } from '../said';

/** Skeleton stands where content will be; screen readers hear one word. */
export function Skeleton({ lines = 3, height = 20 }: { lines?: number; height?: number }) {
  const { t } = useTranslation('shared');
  return (
    <div role="status">
      <span style={{ position: 'absolute', clipPath: 'inset(50%)' }}>{t('loading')}</span>
      {Array.from({ length: lines }, (_, i) => i).map((i) => (
        <div key={i} className="y-skeleton" aria-hidden style={{ height, marginBottom: 12, width: `${100 - ((i * 17) % 40)}%` }} />
      ))}
    </div>
  );
}

/** Empty says that there is nothing and what to do about it. */
export function Empty({ title, hint, action, icon }: { title: string; hint?: string; action?: ReactNode; icon?: ReactNode }) {
  return (
    <Stack align="center" gap="xs" py="xl" px="md" ta="center">
      <span aria-hidden style={{ color: 'var(--quiet)' }}>{icon ?? <IconNotebook size={40} stroke={1.3} />}</span>
      <Text fw={600}>{title}</Text>
      {hint && <Text c="dimmed" maw={420}>{hint}</Text>}
      {action}
    </Stack>
  );
}

/** ErrorNote says what happened, what it means and what to do. */
export function ErrorNote({ error, onRetry, inline }: { error: unknown; onRetry?: () => void; inline?: boolean }) {
  const { t } = useTranslation('shared');
  const kind = error instanceof ApiError ? error.kind : 'internal';
  // The server's sentence helps where the person's own entry was refused.
  const detail = error instanceof ApiError && ['invalid', 'conflict', 'precondition', 'unprocessable'].includes(kind) ? said(error.message, t) : undefined;
  return (
    <div role="alert" className={inline ? undefined : 'y-sheet'} style={{ padding: inline ? '8px 0' : 16 }}>
      <Group align="flex-start" wrap="nowrap" gap="sm">
        <IconAlertTriangle aria-hidden color="var(--lotus)" style={{ flex: 'none', marginTop: 2 }} />
        <div>
          <Title order={2} size="h3">{t(`error.${kind}.happened`)}</Title>
          <Text>{t(`error.${kind}.means`)} {t(`error.${kind}.todo`)}</Text>
          {detail && <Text mt={4} fw={600} lang={detail.lang}>{detail.text}</Text>}
          {onRetry && <Button mt="sm" variant="light" onClick={onRetry}>{t('retry')}</Button>}
        </div>
      </Group>
    </div>
  );
}

/** View draws a query's three states; children get the data. Old data stays, with a note, when a refresh fails. */
export function View<T>({ query, children, lines }: { query: UseQueryResult<T>; children: (data: T) => ReactNode; lines?: number }) {
  if (query.data !== undefined) {
    return (
      <>
        {query.error && <ErrorNote error={query.error} onRetry={() => void query.refetch()} inline />}
        {children(query.data)}
      </>
    );
  }
  if (query.error) return <ErrorNote error={query.error} onRetry={() => void query.refetch()} />;
  return <Skeleton lines={lines ?? 4} height={28} />;
}
