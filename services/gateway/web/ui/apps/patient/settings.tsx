import '@shared/styles-forms.css';
import { Button, Group, PasswordInput, Stack, Switch, Text, Title } from '@mantine/core';
import { ApiError } from '@shared/api';
import { access, notices } from '@shared/services';
import { signOut } from '@shared/session';
import { LanguageSwitch } from '@shared/ui/language';
import { PageTitle } from '@shared/ui/page';
import { ErrorNote } from '@shared/ui/states';
import { useTell } from '@shared/ui/toasts';
import { useMe } from '@shared/who';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

const pushWorks = 'serviceWorker' in navigator && 'PushManager' in window;

async function subscription(): Promise<PushSubscription | null> {
  const worker = await navigator.serviceWorker.getRegistration('/patient/');
  return (await worker?.pushManager.getSubscription()) ?? null;
}

const base64url = (bytes: ArrayBuffer | null) => btoa(String.fromCharCode(...new Uint8Array(bytes ?? new ArrayBuffer(0)))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

async function subscribe(): Promise<void> {
  const worker = await navigator.serviceWorker.ready;
  const { publicKey } = await notices.pushKey();
  const made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: publicKey });
  await notices.subscribe({ endpoint: made.endpoint, p256dh: base64url(made.getKey('p256dh')), auth: base64url(made.getKey('auth')) });
}

async function unsubscribe(): Promise<void> {
  const made = await subscription();
  if (!made) return;
  await notices.unsubscribe({ endpoint: made.endpoint });
  await made.unsubscribe();
}

function Push() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const on = useQuery({ queryKey: ['push'], queryFn: async () => (await subscription()) !== null, enabled: pushWorks });
  const turn = useMutation({
    mutationFn: (wanted: boolean) => (wanted ? subscribe() : unsubscribe()),
    onSettled: () => queries.invalidateQueries({ queryKey: ['push'] }),
  });
  const blocked = turn.error instanceof DOMException;
  return (
    <>
      <Switch size="md" label={t('settings.push')} description={pushWorks ? t('settings.pushHint') : t('settings.pushMissing')} disabled={!pushWorks || turn.isPending}
        checked={on.data ?? false} onChange={(e) => turn.mutate(e.currentTarget.checked)} />
      {turn.error && (blocked ? <Text role="alert" c="var(--lotus)">{t('settings.pushBlocked')}</Text> : <ErrorNote error={turn.error} inline />)}
    </>
  );
}

function Password() {
  const { t } = useTranslation();
  const tell = useTell();
  const [old, setOld] = useState('');
  const [next, setNext] = useState('');
  const change = useMutation({
    mutationFn: () => access.setPassword({ oldPassword: old, newPassword: next }),
    onSuccess: () => {
      setOld('');
      setNext('');
      tell(t('settings.passwordDone'));
    },
  });
  // The service refuses the change when the old password does not fit.
  const wrong = change.error instanceof ApiError && change.error.kind === 'forbidden';
  return (
    <form onSubmit={(e) => { e.preventDefault(); change.mutate(); }}>
      <Stack gap="sm">
        <PasswordInput size="md" label={t('settings.old')} error={wrong && t('settings.oldWrong')} autoComplete="current-password" value={old} onChange={(e) => setOld(e.currentTarget.value)} required visibilityToggleButtonProps={{ 'aria-label': t('settings.show'), tabIndex: 0 }} />
        <PasswordInput size="md" label={t('settings.new')} description={t('settings.newHint')} autoComplete="new-password" minLength={8} value={next} onChange={(e) => setNext(e.currentTarget.value)} required visibilityToggleButtonProps={{ 'aria-label': t('settings.show'), tabIndex: 0 }} />
        {change.error && !wrong && <ErrorNote error={change.error} inline />}
        <Button type="submit" variant="light" loading={change.isPending}>{t('settings.change')}</Button>
      </Stack>
    </form>
  );
}

/** Settings: language, notices on this device, password, sign-out. */
export function Settings() {
  const { t } = useTranslation();
  const me = useMe();
  return (
    <>
      <PageTitle title={t('settings.title')} hint={`${me.name} · ${me.username}`} back="/" />
      <Stack gap="xl">
        <section>
          <Title order={2} size="h2" mb="xs">{t('settings.language')}</Title>
          <LanguageSwitch />
        </section>
        <section>
          <Title order={2} size="h2" mb="xs">{t('notices.title')}</Title>
          <Push />
        </section>
        <section>
          <Title order={2} size="h2" mb="xs">{t('settings.password')}</Title>
          <Password />
        </section>
        <Group><Button variant="default" onClick={() => void signOut()}>{t('signOut')}</Button></Group>
      </Stack>
    </>
  );
}
