import { ApiError } from '@shared/api';
import { type Entry, Outbox, type Status } from '@shared/outbox';
import type { Person } from '@shared/services';
import { useMe } from '@shared/who';
import { useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';

/** twins is what a refused registration says when these people look the same. */
export const twins = 'duplicate';

// A registration may be answered with the people who look the same; then nothing was written.
function judge(operation: string, answer: unknown): ApiError | undefined {
  const { person } = (answer ?? {}) as { person?: unknown };
  return operation === 'stations.RegisterPerson' && !person ? new ApiError('conflict', twins) : undefined;
}

/** peopleIn takes the people who look the same out of a refused answer. */
export function peopleIn(answer: unknown): Person[] {
  return ((answer ?? {}) as { duplicates?: Person[] }).duplicates ?? [];
}

const Box = createContext<{ outbox: Outbox; status: Status | undefined } | undefined>(undefined);

/** OutboxProvider opens the signed-in nurse's outbox and keeps sending. */
export function OutboxProvider({ children }: { children: ReactNode }) {
  const { id } = useMe();
  const queries = useQueryClient();
  const outbox = useMemo(() => new Outbox({ account: id, judge }), [id]);
  const [status, setStatus] = useState<Status>();
  useEffect(() => outbox.begin(), [outbox]);
  useEffect(() => outbox.watch(() => outbox.status(), setStatus), [outbox]);
  const acknowledged = status?.acknowledged;
  useEffect(() => {
    // What the server took changes the day's list and the person's last values.
    if (acknowledged) void queries.invalidateQueries({ queryKey: ['station'] });
  }, [acknowledged, queries]);
  const value = useMemo(() => ({ outbox, status }), [outbox, status]);
  return <Box.Provider value={value}>{children}</Box.Provider>;
}

/** useOutbox is the outbox and its status. */
export function useOutbox(): { outbox: Outbox; status: Status | undefined } {
  const box = useContext(Box);
  if (!box) throw new Error('useOutbox outside of OutboxProvider');
  return box;
}

/** useEntries lists the entries, newest first; undefined until they are read. */
export function useEntries(): Entry[] | undefined {
  const { outbox } = useOutbox();
  const [entries, setEntries] = useState<Entry[]>();
  useEffect(() => outbox.watch(() => outbox.list(), setEntries), [outbox]);
  return entries;
}
