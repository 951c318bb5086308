import { Autocomplete, Button, Select, Stack, Text, TextInput, Title } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { ApiError } from '@shared/api';
import { Refusal } from '@shared/outbox';
import { type Person, stations } from '@shared/services';
import { PageTitle } from '@shared/ui/page';
import { Empty, ErrorNote } from '@shared/ui/states';
import { useTell } from '@shared/ui/toasts';
import { useMe } from '@shared/who';
import { IconCloudUpload, IconUsers } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Household, type HouseholdChoice } from './household';
import { peopleIn, twins, useOutbox } from './outbox';
import { PeopleList, usePeople } from './people';
import { Choices } from './choices';
import { readDate } from './typed';

interface Draft { name: string; birth: string; gender: string; phone: string; cccd: string; bhyt: string; commune: string; hamlet: string; address: string }

/** codeOf takes "95012" out of the key "95012@2025-07-01". */
const codeOf = (key: string) => key.split('@')[0] ?? '';

/** Register takes up a new resident, and shows who may be the same person while the nurse types. */
export function Register() {
  const { t } = useTranslation();
  const me = useMe();
  const tell = useTell();
  const navigate = useNavigate();
  const { outbox } = useOutbox();
  const [draft, setDraft] = useState<Draft>({ name: '', birth: '', gender: '', phone: '', cccd: '', bhyt: '', commune: me.communes[0] ?? '', hamlet: '', address: '' });
  const [household, setHousehold] = useState<HouseholdChoice>({ kind: 'none' });
  const [missing, setMissing] = useState<string[]>([]);
  const [waiting, setWaiting] = useState(false);
  const set = (field: keyof Draft) => (value: string) => {
    setDraft((d) => ({ ...d, [field]: value }));
    setMissing((m) => m.filter((f) => f !== field));
  };
  const birthDate = readDate(draft.birth);

  const communes = useQuery({ queryKey: ['station', 'communes'], queryFn: () => stations.listUnits({ level: 'commune' }), staleTime: 3_600_000, enabled: me.communes.length > 0 });
  const hamlets = useQuery({
    queryKey: ['station', 'hamlets', draft.commune], enabled: draft.commune !== '', staleTime: 3_600_000,
    queryFn: () => stations.listUnits({ level: 'hamlet', parent: codeOf(draft.commune) }),
  });
  const nameOf = (key: string) => communes.data?.units.find((u) => u.code === codeOf(key))?.name ?? codeOf(key);

  const [asked] = useDebouncedValue(draft.name.trim(), 300);
  const same = usePeople(asked.length >= 4 ? asked : '', { ...(birthDate && asked.length >= 4 && { birthDate }), ...(draft.gender && { gender: draft.gender }) });

  const save = useMutation({
    // Without a network the outbox still keeps it.
    networkMode: 'always',
    mutationFn: async (notADuplicate: boolean) => {
      const about = { kind: 'registration', name: draft.name.trim() };
      const place = { commune: draft.commune, hamlet: draft.hamlet.trim(), address: draft.address.trim() };
      let after: { entry: string; field: string } | undefined;
      let id = household.kind === 'of' ? household.id : '';
      if (household.kind === 'new') {
        const opened = await outbox.submit<{ id: string }>('stations.RegisterHousehold', { clientId: household.clientId, ...place }, { ...about, kind: 'household' });
        if (opened.state === 'sent') id = opened.answer.id;
        else after = { entry: opened.id, field: 'household' };
      }
      const identifiers = (['cccd', 'bhyt'] as const).filter((k) => draft[k].trim()).map((kind) => ({ kind, value: draft[kind].trim() }));
      return outbox.submit<{ person: Person }>('stations.RegisterPerson', {
        name: draft.name.trim(), birthDate, gender: draft.gender, phone: draft.phone.trim(), identifiers, ...place,
        household: id, relation: household.kind === 'none' ? '' : household.kind === 'new' ? 'head' : household.relation, notADuplicate,
      }, about, after);
    },
    onSuccess: (outcome) => {
      if (outcome.state === 'waiting') {
        setWaiting(true);
        return;
      }
      tell(t('register.done'));
      void navigate({ to: `/people/${outcome.answer.person.patient}` });
    },
  });

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const lacking = [
      draft.name.trim().split(/\s+/).length < 2 ? 'name' : '', birthDate ? '' : 'birth', draft.gender ? '' : 'gender', draft.commune ? '' : 'commune',
    ].filter(Boolean);
    setMissing(lacking);
    if (lacking.length > 0) document.getElementById(`person-${lacking[0]}`)?.focus();
    else save.mutate(false);
  };

  const at = save.error instanceof ApiError ? save.error.at : '';
  const wrong = (field: string, ...server: string[]) => {
    if (missing.includes(field)) return t(`register.missing.${field}`);
    return server.some((s) => at === s || at.startsWith(`${s}.`)) ? (save.error?.message ?? '') : undefined;
  };
  const lookAlike = save.error instanceof Refusal && save.error.message === twins ? peopleIn(save.error.answer) : undefined;

  const seen = useRef<HTMLElement>(null);
  const refusedAt = lookAlike ? save.submittedAt : 0;
  useEffect(() => {
    // Beside the button that was pressed, but perhaps below the edge of a phone.
    if (refusedAt) seen.current?.scrollIntoView({ block: 'center' });
  }, [refusedAt]);

  const error = save.error;
  useEffect(() => {
    // The field that was refused may be far above the button.
    if (error) document.querySelector<HTMLElement>('form [aria-invalid="true"]')?.focus();
  }, [error]);

  if (waiting) {
    return (
      <>
        <PageTitle title={t('register.title')} back="/" />
        <Empty icon={<IconCloudUpload size={40} stroke={1.3} />} title={t('register.waiting')} hint={t('register.waitingHint')} action={<Button component={Link} to="/outbox">{t('register.toOutbox')}</Button>} />
      </>
    );
  }
  return (
    <>
      <PageTitle title={t('register.title')} hint={t('register.hint')} back="/" />
      <div className="s-two">
        <form onSubmit={submit} noValidate>
          <Stack gap="md">
            <TextInput id="person-name" label={t('register.name')} autoComplete="off" autoCapitalize="words" required data-testid="person-name" value={draft.name} error={wrong('name', 'name')} onChange={(e) => set('name')(e.currentTarget.value)} />
            <TextInput id="person-birth" label={t('register.birth')} description={t('register.birthHint')} inputMode="numeric" autoComplete="off" required data-testid="person-birth" value={draft.birth} error={wrong('birth', 'birth_date')} onChange={(e) => set('birth')(e.currentTarget.value)} />
            <Choices required name="gender" id="person-gender" legend={t('register.gender')} value={draft.gender} onChange={set('gender')} error={wrong('gender', 'gender')} testid="person-gender"
              options={[{ value: 'female', label: t('gender.female') }, { value: 'male', label: t('gender.male') }]} />
            <TextInput label={t('register.phone')} description={t('register.phoneHint')} type="tel" inputMode="tel" autoComplete="off" data-testid="person-phone" value={draft.phone} error={wrong('phone', 'phone')} onChange={(e) => set('phone')(e.currentTarget.value)} />
            <TextInput label={t('register.cccd')} inputMode="numeric" autoComplete="off" data-testid="person-cccd" value={draft.cccd} error={wrong('cccd', 'identifiers[0]')} onChange={(e) => set('cccd')(e.currentTarget.value)} />
            <TextInput label={t('register.bhyt')} autoComplete="off" autoCapitalize="characters" data-testid="person-bhyt" value={draft.bhyt} error={wrong('bhyt', draft.cccd.trim() ? 'identifiers[1]' : 'identifiers[0]')} onChange={(e) => set('bhyt')(e.currentTarget.value)} />
            {me.communes.length > 1 && (
              <Select id="person-commune" label={t('register.commune')} allowDeselect={false} data={me.communes.map((c) => ({ value: c, label: nameOf(c) }))} value={draft.commune} onChange={(v) => set('commune')(v ?? '')} />
            )}
            <Autocomplete size="md" label={t('register.hamlet')} data={[...new Set((hamlets.data?.units ?? []).map((u) => u.name))]} value={draft.hamlet} error={wrong('hamlet', 'hamlet')} onChange={set('hamlet')} />
            <TextInput label={t('register.address')} autoComplete="off" value={draft.address} error={wrong('address', 'address')} onChange={(e) => set('address')(e.currentTarget.value)} />
            <Household value={household} onChange={setHousehold} />
            {save.error && !lookAlike && <ErrorNote error={save.error} inline />}
            {lookAlike && (
              <section ref={seen} role="alert" className="y-sheet" style={{ padding: 16, borderColor: 'var(--lotus)' }}>
                <Title order={2} size="h3">{t('register.twins')}</Title>
                <Text mb="sm">{t('register.twinsHint')}</Text>
                <PeopleList people={lookAlike} testid="duplicate" reasons />
                <Button mt="sm" variant="default" fullWidth loading={save.isPending} onClick={() => save.mutate(true)} data-testid="person-save-anyway">{t('register.another')}</Button>
              </section>
            )}
          </Stack>
          <div className="s-thumb"><Button type="submit" size="lg" fullWidth loading={save.isPending} data-testid="person-save">{t('register.save')}</Button></div>
        </form>
        <section className="s-side" aria-live="polite">
          {asked.length >= 4 && !lookAlike && (same.data?.people.length ?? 0) > 0 && (
            <>
              <Title order={2} size="h3" mb={4}><IconUsers size={20} aria-hidden style={{ verticalAlign: '-3px', marginRight: 8 }} />{t('register.alike')}</Title>
              <Text c="dimmed" size="sm" mb="xs">{t('register.alikeHint')}</Text>
              <PeopleList people={(same.data?.people ?? []).slice(0, 5)} testid="duplicate" reasons />
            </>
          )}
        </section>
      </div>
    </>
  );
}
