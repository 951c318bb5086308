import { Button, Stack, Text, TextInput, Textarea } from '@mantine/core';
import { ApiError } from '@shared/api';
import { formatDate, formatNumber } from '@shared/format';
import type { Person } from '@shared/services';
import { PageTitle } from '@shared/ui/page';
import { PersonLine } from '@shared/ui/person';
import { ErrorNote, View } from '@shared/ui/states';
import { language } from '@shared/words';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useKept } from './kept';
import { useOutbox } from './outbox';
import { Alerts, usePerson } from './person';
import { readNumber } from './typed';
import { type MeasureKind, measures } from './vitals';

function Form({ person }: { person: Person }) {
  const { t } = useTranslation();
  const { outbox } = useOutbox();
  const kept = useKept(person.patient);
  const [values, setValues] = useState<Partial<Record<MeasureKind, string>>>({});
  const [reason, setReason] = useState('');
  const [note, setNote] = useState('');
  const [problems, setProblems] = useState<Partial<Record<MeasureKind, string>>>({});

  const typed = measures.filter(({ kind }) => values[kind]?.trim());
  const save = useMutation({
    // Without a network the outbox still keeps it.
    networkMode: 'always',
    mutationFn: () => outbox.submit('stations.RecordVisit', {
      patient: person.patient, at: new Date().toISOString(), reason: reason.trim(), note: note.trim(),
      measures: typed.map(({ kind, unit }) => ({ kind, unit, value: readNumber(values[kind] ?? '') })),
    }, { kind: 'visit', name: person.name }),
    onSuccess: ({ state }) => kept(state, t('visit.done')),
    onError: (error) => {
      // "measures[2].value" is the third of those that were sent.
      const at = error instanceof ApiError ? /^measures\[(\d+)\]/.exec(error.at) : null;
      const one = at ? typed[Number(at[1])] : undefined;
      if (one) {
        setProblems({ [one.kind]: error.message });
        document.getElementById(`visit-${one.kind}`)?.focus();
      }
    },
  });

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wrong: typeof problems = {};
    for (const { kind } of typed) if (readNumber(values[kind] ?? '') === undefined) wrong[kind] = t('visit.notANumber');
    if (values.systolic?.trim() && !values.diastolic?.trim()) wrong.diastolic = t('visit.bothNumbers');
    if (values.diastolic?.trim() && !values.systolic?.trim()) wrong.systolic = t('visit.bothNumbers');
    setProblems(wrong);
    const first = Object.keys(wrong)[0];
    if (first) document.getElementById(`visit-${first}`)?.focus();
    else save.mutate();
  };

  return (
    <form onSubmit={submit} noValidate className="s-one">
      <div className="y-sheet y-lines">
        {measures.map(({ kind, unit }) => {
          const last = person.last.find((m) => m.kind === kind);
          const problem = problems[kind];
          return (
            <div key={kind} className="s-measure">
              <div>
                <label htmlFor={`visit-${kind}`}>{t(`vital.${kind}`)} <span className="y-quiet y-small" style={{ fontWeight: 400 }}>{t(`unit.${unit}`)}</span></label>
                <span className="y-quiet y-small" id={`visit-${kind}-last`}>{last ? t('visit.last', { value: formatNumber(last.value, language()), date: formatDate(last.at) }) : t('visit.first')}</span>
                {problem && <Text size="sm" c="var(--red)" id={`visit-${kind}-problem`}>{problem}</Text>}
              </div>
              <TextInput id={`visit-${kind}`} inputMode="decimal" autoComplete="off" enterKeyHint="next" data-testid={`visit-${kind}`} value={values[kind] ?? ''} error={Boolean(problem)}
                aria-describedby={`visit-${kind}-last${problem ? ` visit-${kind}-problem` : ''}`}
                onChange={(e) => { const { value } = e.currentTarget; setValues((v) => ({ ...v, [kind]: value })); setProblems((p) => ({ ...p, [kind]: undefined })); }} />
            </div>
          );
        })}
      </div>
      <Stack gap="md" mt="md">
        <TextInput label={t('visit.reason')} description={t('visit.reasonHint')} value={reason} onChange={(e) => setReason(e.currentTarget.value)} data-testid="visit-reason" />
        <Textarea label={t('visit.note')} autosize minRows={2} value={note} onChange={(e) => setNote(e.currentTarget.value)} data-testid="visit-note" />
        {save.error && <ErrorNote error={save.error} inline />}
      </Stack>
      <div className="s-thumb"><Button type="submit" size="lg" fullWidth loading={save.isPending} data-testid="visit-save">{t('visit.save')}</Button></div>
    </form>
  );
}

/** Visit records a visit with its measurements: under a minute, the last value beside each field. */
export function Visit() {
  const { t } = useTranslation();
  const person = usePerson();
  return (
    <View query={person} lines={8}>
      {(p) => (
        <>
          <PageTitle title={t('visit.title')} back={`/people/${p.patient}`} />
          <Text mt={-12} mb="md"><b style={{ fontWeight: 600 }}>{p.name}</b> · <PersonLine birthDate={p.birthDate} gender={p.gender} /></Text>
          <Alerts person={p} />
          <Form person={p} />
        </>
      )}
    </View>
  );
}
