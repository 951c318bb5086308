import { Button, Select, Stack, TextInput } from '@mantine/core';
import { type Person, stations } from '@shared/services';
import { ErrorNote } from '@shared/ui/states';
import { useMutation } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Choices } from './choices';
import { PersonText, usePeople } from './people';

/** HouseholdChoice: no household, a new one with this person as its head, or that of somebody else. */
export type HouseholdChoice =
  | { kind: 'none' }
  | { kind: 'new'; clientId: string }
  | { kind: 'of'; id: string; name: string; relation: string };

const relations = ['spouse', 'child', 'parent', 'other'] as const;

/** Household asks where the person belongs. */
export function Household({ value, onChange }: { value: HouseholdChoice; onChange: (value: HouseholdChoice) => void }) {
  const { t } = useTranslation();
  const [kind, setKind] = useState<string>(value.kind);
  const [typed, setTyped] = useState('');
  const found = usePeople(kind === 'of' ? typed : '');
  const choose = useMutation({
    mutationFn: async (p: Person) => ({ name: p.name, id: (await stations.getPerson({ patient: p.patient })).household }),
    onSuccess: ({ name, id }) => {
      if (id) onChange({ kind: 'of', id, name, relation: 'other' });
    },
  });
  const ask = useRef<HTMLInputElement>(null);
  useEffect(() => {
    // The new field may open beneath the bar with the button.
    if (kind === 'of') ask.current?.scrollIntoView({ block: 'center' });
  }, [kind]);
  const pick = (k: string) => {
    setKind(k);
    onChange(k === 'new' ? { kind: 'new', clientId: crypto.randomUUID() } : { kind: 'none' });
  };
  return (
    <Stack gap="sm">
      <Choices stacked name="household" legend={t('household.title')} value={kind} onChange={pick}
        options={[{ value: 'none', label: t('household.none') }, { value: 'new', label: t('household.new') }, { value: 'of', label: t('household.of') }]} />
      {kind === 'of' && value.kind !== 'of' && (
        <>
          <TextInput ref={ask} label={t('household.who')} autoComplete="off" value={typed} onChange={(e) => setTyped(e.currentTarget.value)}
            error={choose.isSuccess && !choose.data.id ? t('household.without', { name: choose.data.name }) : undefined} />
          {choose.error && <ErrorNote error={choose.error} inline />}
          {typed.trim().length >= 2 && (found.data?.people.length ?? 0) > 0 && (
            <div className="y-sheet y-lines">
              {(found.data?.people ?? []).slice(0, 5).map((p) => <button key={p.patient} type="button" className="y-row" onClick={() => choose.mutate(p)}><PersonText person={p} /></button>)}
            </div>
          )}
        </>
      )}
      {value.kind === 'of' && (
        <>
          <Select label={t('household.relation', { name: value.name })} allowDeselect={false} value={value.relation}
            data={relations.map((r) => ({ value: r, label: t(`household.is.${r}`) }))} onChange={(r) => onChange({ ...value, relation: r ?? 'other' })} />
          <Button variant="subtle" onClick={() => { onChange({ kind: 'none' }); choose.reset(); }}>{t('household.change')}</Button>
        </>
      )}
    </Stack>
  );
}
