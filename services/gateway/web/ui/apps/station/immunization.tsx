import { Button, Select, Stack, Text, TextInput } from '@mantine/core';
import { ApiError } from '@shared/api';
import { formatDate } from '@shared/format';
import { type Person, stations } from '@shared/services';
import { PageTitle } from '@shared/ui/page';
import { PersonLine } from '@shared/ui/person';
import { ErrorNote, View } from '@shared/ui/states';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useSearch } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Choices } from './choices';
import { useToday } from './home';
import { useKept } from './kept';
import { useOutbox } from './outbox';
import { Alerts, usePerson } from './person';
import { readDate } from './typed';

const sites = ['left-arm', 'right-arm', 'left-thigh', 'right-thigh', 'oral'] as const;

// The lot that is open on the table is the same for the next child.
const lastLot = new Map<string, { lot: string; expires: string }>();

function Form({ person }: { person: Person }) {
  const { t } = useTranslation();
  const { outbox } = useOutbox();
  const kept = useKept(person.patient);
  const wanted = useSearch({ strict: false }) as { vaccine?: unknown; dose?: unknown };
  const vaccines = useQuery({ queryKey: ['vaccines'], queryFn: () => stations.listVaccines({}), staleTime: 3_600_000 });
  const due = useToday().data?.due.filter((d) => d.patient === person.patient) ?? [];
  const [vaccine, setVaccine] = useState(String(wanted.vaccine ?? ''));
  const [dose, setDose] = useState(String(wanted.dose ?? ''));
  const [lot, setLot] = useState(lastLot.get(vaccine)?.lot ?? '');
  const [expires, setExpires] = useState(lastLot.get(vaccine)?.expires ?? '');
  const [site, setSite] = useState('');
  const [missing, setMissing] = useState<string[]>([]);
  const chosen = vaccines.data?.vaccines.find((v) => v.code === vaccine);

  const choose = (code: string) => {
    setVaccine(code);
    setDose(String(due.find((d) => d.vaccine === code)?.dose ?? ''));
    setLot(lastLot.get(code)?.lot ?? '');
    setExpires(lastLot.get(code)?.expires ?? '');
    setMissing([]);
  };
  const save = useMutation({
    // Without a network the outbox still keeps it.
    networkMode: 'always',
    mutationFn: () => outbox.submit('stations.RecordImmunization', {
      patient: person.patient, vaccine, dose: Number(dose), lot: lot.trim(), expires: readDate(expires) ?? '', site, at: new Date().toISOString(),
    }, { kind: 'immunization', name: person.name }),
    onSuccess: ({ state }) => {
      lastLot.set(vaccine, { lot, expires });
      kept(state, t('immunization.done'));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const lacking = [vaccine ? '' : 'vaccine', dose ? '' : 'dose', lot.trim() ? '' : 'lot', expires && readDate(expires)?.length !== 10 ? 'expires' : '', site ? '' : 'site'].filter(Boolean);
    setMissing(lacking);
    if (lacking.length > 0) document.getElementById(`immunization-${lacking[0]}`)?.focus();
    else save.mutate();
  };
  const at = save.error instanceof ApiError ? save.error.at : '';
  const wrong = (field: string) => (missing.includes(field) ? t(`immunization.missing.${field}`) : at === field ? save.error?.message : undefined);

  return (
    <form onSubmit={submit} noValidate className="s-one">
      <Stack gap="md">
        {vaccines.error && <ErrorNote error={vaccines.error} onRetry={() => void vaccines.refetch()} inline />}
        <Select id="immunization-vaccine" label={t('immunization.vaccine')} required searchable allowDeselect={false} data-testid="immunization-vaccine" error={wrong('vaccine')} value={vaccine || null} onChange={(v) => choose(v ?? '')}
          data={(vaccines.data?.vaccines ?? []).map((v) => ({ value: v.code, label: v.name }))} />
        {chosen && <Choices required name="dose" id="immunization-dose" legend={t('immunization.dose')} value={dose} onChange={(d) => { setDose(d); setMissing([]); }} error={wrong('dose')} testid="immunization-dose"
          options={chosen.doses.map((d) => ({ value: String(d.number), label: t('immunization.number', { number: d.number }) }))} />}
        {due.filter((d) => d.vaccine === vaccine).map((d) => <Text key={d.dose} size="sm" c="var(--amber-text)">{t('immunization.due', { dose: d.dose, date: formatDate(d.due) })}</Text>)}
        <TextInput id="immunization-lot" label={t('immunization.lot')} description={t('immunization.lotHint')} required autoComplete="off" autoCapitalize="characters" data-testid="immunization-lot" error={wrong('lot')} value={lot} onChange={(e) => setLot(e.currentTarget.value)} />
        <TextInput id="immunization-expires" label={t('immunization.expires')} description={t('immunization.expiresHint')} inputMode="numeric" autoComplete="off" error={wrong('expires')} value={expires} onChange={(e) => setExpires(e.currentTarget.value)} />
        <Choices required name="site" id="immunization-site" legend={t('immunization.site')} value={site} onChange={(s) => { setSite(s); setMissing([]); }} error={wrong('site')} testid="immunization-site"
          options={sites.map((s) => ({ value: s, label: t(`immunization.at.${s}`) }))} />
        {save.error && <ErrorNote error={save.error} inline />}
        {vaccines.data?.rules && <Text size="sm" c="dimmed">{t('immunization.rules', { rules: vaccines.data.rules })}</Text>}
      </Stack>
      <div className="s-thumb"><Button type="submit" size="lg" fullWidth loading={save.isPending} data-testid="immunization-save">{t('immunization.save')}</Button></div>
    </form>
  );
}

/** Immunization records one dose. */
export function Immunization() {
  const { t } = useTranslation();
  const person = usePerson();
  return (
    <View query={person} lines={8}>
      {(p) => (
        <>
          <PageTitle title={t('immunization.title')} back={`/people/${p.patient}`} />
          <Text mt={-12} mb="md"><b style={{ fontWeight: 600 }}>{p.name}</b> · <PersonLine birthDate={p.birthDate} gender={p.gender} /></Text>
          <Alerts person={p} />
          <Form person={p} />
        </>
      )}
    </View>
  );
}
