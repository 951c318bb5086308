import { Button, Group, Text, Textarea } from '@mantine/core';
import { formatTime } from '@shared/format';
import { type Consultation, consults } from '@shared/services';
import { ErrorNote } from '@shared/ui/states';
import { useTell } from '@shared/ui/toasts';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';

const pause = 1200;

/** Note is always open and saves itself as a draft after a short pause; signing writes it to the record. */
export function Note({ consultation }: { consultation: Consultation }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const tell = useTell();
  const { id } = consultation;
  const [text, setText] = useState(consultation.draft);
  const [savedAt, setSavedAt] = useState('');
  const saved = useRef(consultation.draft);
  const draft = useMutation({
    mutationFn: (words: string) => consults.saveNote({ id, text: words, final: false }),
    onSuccess: (_now, words) => {
      saved.current = words;
      // Whoever ends the call is asked about the draft of now, not of the beginning.
      queries.setQueryData<Consultation>(['consultation', id], (c) => c && { ...c, draft: words });
      setSavedAt(new Date().toISOString());
    },
    retry: 3,
    // One after the other: an older draft must not overtake a newer one.
    scope: { id: `note-${id}` },
  });
  const sign = useMutation({
    mutationFn: () => consults.saveNote({ id, text, final: true }),
    scope: { id: `note-${id}` },
    onSuccess: (now) => {
      saved.current = text;
      queries.setQueryData(['consultation', id], now);
      void queries.invalidateQueries({ queryKey: ['record'] });
      tell(t('note.done'));
    },
  });
  const save = draft.mutate;
  useEffect(() => {
    if (text === saved.current) return;
    const timer = setTimeout(() => {
      if (text !== saved.current) save(text);
    }, pause);
    return () => clearTimeout(timer);
  }, [text, save]);
  useEffect(() => {
    const warn = (e: BeforeUnloadEvent) => {
      if (text !== saved.current) e.preventDefault();
    };
    window.addEventListener('beforeunload', warn);
    return () => window.removeEventListener('beforeunload', warn);
  }, [text]);
  const state = draft.isPending ? t('note.saving') : draft.error ? t('note.unsaved') : savedAt ? t('note.saved', { time: formatTime(savedAt) }) : consultation.note ? t('note.signed') : '';
  return (
    <>
      <Textarea label={t('note.label')} autosize minRows={4} maxRows={16} value={text} onChange={(e) => setText(e.currentTarget.value)} data-testid="note-text" placeholder={t('note.placeholder')} />
      {sign.error && <ErrorNote error={sign.error} inline />}
      <Group justify="space-between" mt="xs">
        <Text size="sm" c={draft.error ? 'var(--lotus)' : 'dimmed'} role="status">{state}</Text>
        <Button data-testid="note-sign" disabled={!text.trim()} loading={sign.isPending} onClick={() => sign.mutate()}>{t('note.sign')}</Button>
      </Group>
    </>
  );
}
