import { Button, CloseButton, Group, NumberInput, Text, Textarea, TextInput } from '@mantine/core';
import { type Consultation, consults } from '@shared/services';
import { Mark } from '@shared/ui/mark';
import { ErrorNote } from '@shared/ui/states';
import { useTell } from '@shared/ui/toasts';
import { IconCheck, IconPlus } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

interface Line { key: string; name: string; dose: string; perDay: number; days: number; instruction: string }

const fresh = (): Line => ({ key: crypto.randomUUID(), name: '', dose: '', perDay: 2, days: 5, instruction: '' });

/** Prescription: one medicine a row; signing writes them to the record. */
export function Prescription({ consultation }: { consultation: Consultation }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const tell = useTell();
  const { id } = consultation;
  const [lines, setLines] = useState<Line[]>([]);
  const [advice, setAdvice] = useState('');
  const set = (key: string, part: Partial<Line>) => setLines((all) => all.map((l) => (l.key === key ? { ...l, ...part } : l)));
  const sign = useMutation({
    mutationFn: () => consults.prescribe({
      id, advice,
      medicines: lines.map(({ name, dose, perDay, days, instruction }) => ({ name: name.trim(), dose: dose.trim(), perDay, days, instruction: instruction.trim() })),
    }),
    onSuccess: (now) => {
      queries.setQueryData(['consultation', id], now);
      void queries.invalidateQueries({ queryKey: ['record'] });
      setLines([]);
      setAdvice('');
      tell(t('rx.done'));
    },
  });
  const remove = (line: Line) => {
    const before = lines;
    setLines(lines.filter((l) => l.key !== line.key));
    tell(t('rx.removed', { name: line.name || t('rx.row') }), { label: t('rx.undo'), run: () => setLines(before) });
  };
  const complete = lines.length > 0 && lines.every((l) => l.name.trim() && l.dose.trim());
  return (
    <form onSubmit={(e) => { e.preventDefault(); sign.mutate(); }}>
      {consultation.prescriptions.length > 0 && <span data-testid="rx-signed"><Mark tone="own" icon={<IconCheck size={14} aria-hidden />}>{t('rx.signed', { count: consultation.prescriptions.length })}</Mark></span>}
      {lines.length === 0 && consultation.prescriptions.length === 0 && <Text c="dimmed">{t('rx.none')}</Text>}
      {lines.map((l, i) => (
        <fieldset key={l.key} className="c-rx" style={{ border: 0, borderBottom: '1px solid var(--line)', margin: 0, padding: '8px 0' }} aria-label={t('rx.nth', { n: i + 1 })}>
          <TextInput label={t('rx.name')} value={l.name} required data-autofocus data-testid="rx-name" onChange={(e) => set(l.key, { name: e.currentTarget.value })} />
          <TextInput label={t('rx.dose')} value={l.dose} required placeholder={t('rx.doseHint')} data-testid="rx-dose" onChange={(e) => set(l.key, { dose: e.currentTarget.value })} />
          <NumberInput size="md" label={t('rx.perDay')} value={l.perDay} min={1} max={24} allowDecimal={false} hideControls onChange={(v) => set(l.key, { perDay: Number(v) || 0 })} />
          <NumberInput size="md" label={t('rx.days')} value={l.days} min={1} max={90} allowDecimal={false} hideControls onChange={(v) => set(l.key, { days: Number(v) || 0 })} />
          <TextInput label={t('rx.how')} value={l.instruction} placeholder={t('rx.howHint')} onChange={(e) => set(l.key, { instruction: e.currentTarget.value })} />
          <CloseButton size="xl" aria-label={t('rx.remove', { name: l.name || t('rx.row') })} onClick={() => remove(l)} />
        </fieldset>
      ))}
      {lines.length > 0 && <Textarea mt="xs" label={t('rx.advice')} autosize minRows={1} maxRows={4} value={advice} onChange={(e) => setAdvice(e.currentTarget.value)} />}
      {sign.error && <ErrorNote error={sign.error} inline />}
      <Group mt="sm" justify="space-between">
        <Button variant="light" data-testid="rx-add" leftSection={<IconPlus size={18} aria-hidden />} onClick={() => setLines([...lines, fresh()])}>{t('rx.add')}</Button>
        {lines.length > 0 && <Button type="submit" data-testid="rx-sign" disabled={!complete} loading={sign.isPending}>{t('rx.sign')}</Button>}
      </Group>
    </form>
  );
}
