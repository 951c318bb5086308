import 'fake-indexeddb/auto';
import { indexedDB } from 'fake-indexeddb';
import { afterEach, expect, it } from 'vitest';
import { ApiError } from '../shared/api';
import { Outbox, type OutboxOptions } from '../shared/outbox';

let count = 0;
const about = { kind: 'visit', name: 'Nguyễn Thị Hoa' };
const clock = () => new Date('2026-11-21T01:14:00Z');
const box = (options: Partial<OutboxOptions>) => new Outbox({ account: 'a1', store: `outbox-${count}`, now: clock, ...options });
afterEach(() => {
  count++;
});

it('says sent only after the server has answered', async () => {
  const outbox = box({ send: async () => ({ references: ['Encounter/1'] }) });
  const outcome = await outbox.submit('stations.RecordVisit', { patient: '7' }, about);
  expect(outcome).toMatchObject({ state: 'sent', answer: { references: ['Encounter/1'] } });
  expect(await outbox.status()).toEqual({ waiting: 0, refused: 0, acknowledged: '2026-11-21T01:14:00.000Z' });
});

it('keeps an entry without a network, over a restart, and sends it under the same client id', async () => {
  const ids: unknown[] = [];
  const first = box({ send: async (_, r) => { ids.push((r as { clientId: string }).clientId); throw new ApiError('offline', ''); } });
  expect((await first.submit('stations.RecordVisit', { patient: '7' }, about)).state).toBe('waiting');
  expect((await first.status()).acknowledged).toBeUndefined();
  const second = box({ send: async (_, r) => { ids.push((r as { clientId: string }).clientId); return {}; } });
  await second.flush();
  expect(await second.status()).toMatchObject({ waiting: 0, refused: 0 });
  expect(ids).toHaveLength(2);
  expect(ids[0]).toBe(ids[1]);
});

it('sends in order and stops at the first that finds no network', async () => {
  const sent: unknown[] = [];
  let online = false;
  const outbox = box({ send: async (_, r) => { if (!online) throw new ApiError('unavailable', ''); sent.push((r as { n: number }).n); return {}; } });
  for (const n of [1, 2, 3]) await outbox.submit('x.Y', { n }, about);
  online = true;
  await outbox.flush();
  expect(sent).toEqual([1, 2, 3]);
});

it('gives a refusal back to the form and keeps nothing of it', async () => {
  const outbox = box({ send: async () => { throw new ApiError('invalid', 'Mạch phải là một con số'); } });
  await expect(outbox.submit('stations.RecordVisit', {}, about)).rejects.toThrow('Mạch phải là một con số');
  expect(await outbox.list()).toEqual([]);
});

it('keeps what is refused later, with the reason, until a person decides', async () => {
  let answer: () => Promise<unknown> = async () => { throw new ApiError('offline', ''); };
  const outbox = box({ send: () => answer() });
  await outbox.submit('stations.RecordVisit', { patient: '7' }, about);
  answer = async () => { throw new ApiError('forbidden', 'không thuộc xã của bạn'); };
  await outbox.flush();
  const [refused] = await outbox.list();
  expect(refused).toMatchObject({ state: 'refused', refused: 'forbidden', message: 'không thuộc xã của bạn', request: { patient: '7' } });
  const undo = await outbox.discard(refused?.id ?? '');
  expect(await outbox.list()).toEqual([]);
  await undo();
  answer = async () => ({});
  await outbox.retry(refused?.id ?? '');
  expect(await outbox.status()).toMatchObject({ waiting: 0, refused: 0 });
});

it('treats an answer that wrote nothing as a refusal', async () => {
  const outbox = box({ send: async () => ({ duplicates: [{}] }), judge: () => new ApiError('conflict', 'duplicate') });
  await expect(outbox.submit('stations.RegisterPerson', {}, about)).rejects.toMatchObject({ kind: 'conflict' });
});

it('fills in what an earlier entry was given', async () => {
  const seen: Record<string, unknown>[] = [];
  const outbox = box({ send: async (operation, r) => { seen.push(r as Record<string, unknown>); return operation.endsWith('Household') ? { id: '44' } : {}; } });
  const household = await outbox.submit('stations.RegisterHousehold', {}, about);
  await outbox.submit('stations.RegisterPerson', {}, about, { entry: household.id, field: 'household' });
  expect(seen[1]).toMatchObject({ household: '44' });
});

it('tells a watcher of every change', async () => {
  const outbox = box({ send: async () => { throw new ApiError('offline', ''); } });
  const seen: number[] = [];
  const two = new Promise<void>((done) => outbox.watch(() => outbox.status(), (s) => { seen.push(s.waiting); if (s.waiting === 1) done(); }));
  await outbox.submit('x.Y', {}, about);
  await two;
  expect(seen.at(-1)).toBe(1);
});

it('shows no other account anything, and no reader of the disk a name', async () => {
  const mine = box({ send: async () => { throw new ApiError('offline', ''); } });
  await mine.submit('stations.RecordVisit', { note: 'ho ba ngày' }, about);
  expect(await box({ account: 'a2', send: async () => ({}) }).list()).toEqual([]);
  const rows = await new Promise<unknown[]>((done, fail) => {
    const open = indexedDB.open(`outbox-${count}`);
    open.onerror = () => fail(open.error);
    open.onsuccess = () => {
      const all = open.result.transaction('entries').objectStore('entries').getAll();
      all.onsuccess = () => done(all.result);
    };
  });
  const text = rows.map((r) => JSON.stringify(r, (_, v) => (v instanceof ArrayBuffer ? new TextDecoder().decode(v) : v))).join();
  expect(text).toContain('stations.RecordVisit');
  expect(text).not.toContain('Hoa');
  expect(text).not.toContain('ho ba');
});
