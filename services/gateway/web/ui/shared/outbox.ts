// What a nurse enters is written here before it is sent, so that a closed
// page, a lost line or an empty battery loses nothing. Entries are encrypted
// with a key that this browser keeps and never shows; they are sent in the
// order they were made, each under a client id that the server answers only
// once, so that sending again is safe.
import Dexie, { liveQuery, type Table } from 'dexie';
import { ApiError, call, type ErrorClass } from './api';

/** EntryState: waiting is on this device only; sent was acknowledged by the server; refused needs a person. */
export type EntryState = 'waiting' | 'sent' | 'refused';

/** About is what the list of entries shows: a kind of entry and whom it is about. */
export interface About { kind: string; name: string }

/** After makes an entry wait for another one and puts the other's answer.id into a field of its request. */
export interface After { entry: string; field: string }

/** Entry is one thing that was entered. */
export interface Entry {
  id: string; operation: string; state: EntryState; made: string; sent: string | undefined;
  /** Why it was refused, and in whose words. */
  refused: ErrorClass | undefined; message: string | undefined; at: string | undefined;
  request: Record<string, unknown>; about: About; answer: unknown;
}

/** Refusal is why an entry was not taken, with what the server answered. */
export class Refusal extends ApiError {
  constructor(kind: ErrorClass, message: string, at: string, readonly answer: unknown) {
    super(kind, message, at);
  }
}

/** Outcome is what became of an entry when it was first tried. */
export type Outcome<Answer> = { state: 'sent'; answer: Answer } | { state: 'waiting' };

interface Content { request: Record<string, unknown>; about: About; after?: After | undefined; message?: string; at?: string; answer?: unknown }
interface Row {
  seq?: number; id: string; account: string; operation: string; state: EntryState; made: string;
  sent?: string; refused?: ErrorClass; iv: Uint8Array<ArrayBuffer>; box: ArrayBuffer;
}

class Store extends Dexie {
  entries!: Table<Row, number>;
  keys!: Table<{ account: string; key: CryptoKey; acknowledged?: string }, string>;
  constructor(name: string) {
    super(name);
    this.version(1).stores({ entries: '++seq, &id, [account+state]', keys: 'account' });
  }
}

// These say "not now"; everything else says "not this".
const later = new Set<ErrorClass>(['offline', 'unavailable', 'limited', 'internal', 'unauthenticated']);

/** Options of an outbox; send and now are replaced in tests. */
export interface OutboxOptions {
  account: string;
  send?: (operation: string, request: object) => Promise<unknown>;
  now?: () => Date;
  /** Judges an answer that arrived: a returned error means that nothing was written. */
  judge?: (operation: string, answer: unknown) => ApiError | undefined;
  /** Name of the browser's database. */
  store?: string;
}

/** Status is what the sync line shows. */
export interface Status { waiting: number; refused: number; acknowledged: string | undefined }

/** Outbox keeps and sends the entries of one account. */
export class Outbox {
  readonly #store: Store;
  readonly #options: Required<OutboxOptions>;
  #running: Promise<void> | undefined;
  #again = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pause = 5_000;
  #key: Promise<CryptoKey> | undefined;

  constructor(options: OutboxOptions) {
    this.#options = { send: (operation, request) => call(operation, request), now: () => new Date(), judge: () => undefined, store: 'yba-outbox', ...options };
    this.#store = new Store(this.#options.store);
  }

  /** begin sends what waits now and whenever the network comes back; it returns how to stop. */
  begin(): () => void {
    const online = () => void this.flush();
    window.addEventListener('online', online);
    void this.flush();
    return () => {
      window.removeEventListener('online', online);
      clearTimeout(this.#timer);
    };
  }

  /**
   * submit keeps the entry, then tries to send it. A refusal is thrown, and the
   * entry is taken out again, for the form that calls still holds everything.
   */
  async submit<Answer>(operation: string, request: Record<string, unknown>, about: About, after?: After): Promise<Outcome<Answer> & { id: string }> {
    const id = String(request.clientId ?? crypto.randomUUID());
    await this.#add(id, operation, { request: { ...request, clientId: id }, about, after });
    await this.flush();
    const entry = await this.find(id);
    if (entry?.state === 'sent') return { id, state: 'sent', answer: entry.answer as Answer };
    if (entry?.state === 'refused') {
      await this.#store.entries.where('id').equals(id).delete();
      throw new Refusal(entry.refused ?? 'internal', entry.message ?? '', entry.at ?? '', entry.answer);
    }
    return { id, state: 'waiting' };
  }

  /** flush sends what waits, one after the other; calls while it runs add one more round. */
  flush(): Promise<void> {
    if (this.#running) {
      this.#again = true;
      return this.#running;
    }
    this.#running = (async () => {
      do {
        this.#again = false;
        await this.#alone(() => this.#round());
      } while (this.#again);
    })().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** retry lets a refused entry be sent again, with a changed request where the person changed it. */
  async retry(id: string, change: Record<string, unknown> = {}): Promise<void> {
    const row = await this.#store.entries.get({ id });
    if (row?.state !== 'refused') return;
    const content = await this.#open(row);
    // A new name, since the server has answered the old one.
    const clientId = crypto.randomUUID();
    const sealed = await this.#seal({ ...content, request: { ...content.request, ...change, clientId } });
    await this.#store.entries.update(row.seq as number, { ...sealed, id: clientId, state: 'waiting' });
    await this.flush();
  }

  /** discard takes a refused entry out and returns how to bring it back. */
  async discard(id: string): Promise<() => Promise<void>> {
    const row = await this.#store.entries.get({ id });
    if (row?.state !== 'refused') return async () => {};
    await this.#store.entries.delete(row.seq as number);
    return async () => {
      await this.#store.entries.put(row);
    };
  }

  /** find returns one entry. */
  async find(id: string): Promise<Entry | undefined> {
    const row = await this.#store.entries.get({ id });
    return row && row.account === this.#options.account ? this.#entry(row) : undefined;
  }

  /** list returns this account's entries, newest first. */
  async list(): Promise<Entry[]> {
    const rows = await this.#store.entries.reverse().filter((r) => r.account === this.#options.account).limit(200).toArray();
    return Promise.all(rows.map((r) => this.#entry(r)));
  }

  /** status counts what is not on the server, and tells when it last acknowledged something. */
  async status(): Promise<Status> {
    const of = (state: EntryState) => this.#store.entries.where('[account+state]').equals([this.#options.account, state]).count();
    const [waiting, refused, key] = await Promise.all([of('waiting'), of('refused'), this.#store.keys.get(this.#options.account)]);
    return { waiting, refused, acknowledged: key?.acknowledged };
  }

  /** watch calls back with what ask returns, now and after each change, in this tab or another. */
  watch<T>(ask: () => Promise<T>, changed: (value: T) => void): () => void {
    const subscription = liveQuery(async () => {
      // Named here, so that Dexie sees what the answer depends on: decryption ends its own tracking.
      await Promise.all([this.#store.entries.toArray(), this.#store.keys.toArray()]);
      return Dexie.waitFor(ask());
    }).subscribe({ next: changed });
    return () => subscription.unsubscribe();
  }

  async #add(id: string, operation: string, content: Content): Promise<void> {
    const { account, now } = this.#options;
    const sealed = await this.#seal(content);
    await this.#store.entries.add({ ...sealed, id, account, operation, state: 'waiting', made: now().toISOString() });
  }

  // One tab sends at a time.
  async #alone(work: () => Promise<void>): Promise<void> {
    if (globalThis.navigator?.locks) await navigator.locks.request(`yba-outbox-${this.#options.account}`, work);
    else await work();
  }

  async #round(): Promise<void> {
    const { account, now } = this.#options;
    const day = new Date(now().getTime() - 24 * 3600 * 1000).toISOString();
    await this.#store.entries.where('[account+state]').equals([account, 'sent']).filter((r) => (r.sent ?? '') < day).delete();
    clearTimeout(this.#timer);
    let left = false;
    for (const row of await this.#store.entries.where('[account+state]').equals([account, 'waiting']).sortBy('seq')) {
      const verdict = await this.#try(row);
      if (verdict === 'later') left = true;
      if (verdict === 'offline') {
        left = true;
        break;
      }
    }
    this.#pause = left ? Math.min(this.#pause * 2, 60_000) : 5_000;
    if (left) this.#timer = setTimeout(() => void this.flush(), this.#pause);
  }

  async #try(row: Row): Promise<'done' | 'later' | 'offline'> {
    const content = await this.#open(row);
    const request = { ...content.request };
    if (content.after) {
      const other = await this.find(content.after.entry);
      if (other?.state !== 'sent') return 'later';
      request[content.after.field] = (other.answer as { id?: string }).id ?? '';
    }
    try {
      const answer = await this.#options.send(row.operation, request);
      const refusal = this.#options.judge(row.operation, answer);
      if (refusal) await this.#refuse(row, { ...content, answer }, refusal);
      else await this.#sent(row, content, answer);
      return 'done';
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.kind === 'offline' || error.kind === 'unavailable') return 'offline';
      if (later.has(error.kind)) return 'later';
      await this.#refuse(row, content, error);
      return 'done';
    }
  }

  async #sent(row: Row, content: Content, answer: unknown): Promise<void> {
    const { account, now } = this.#options;
    const at = now().toISOString();
    // The server has it now; what was entered is not kept twice.
    const sealed = await this.#seal({ request: {}, about: content.about, answer });
    await this.#store.transaction('rw', this.#store.entries, this.#store.keys, async () => {
      await this.#store.entries.update(row.seq as number, { ...sealed, state: 'sent', sent: at });
      await this.#store.keys.update(account, { acknowledged: at });
    });
  }

  async #refuse(row: Row, content: Content, error: ApiError): Promise<void> {
    const sealed = await this.#seal({ ...content, message: error.message, at: error.at });
    await this.#store.entries.update(row.seq as number, { ...sealed, state: 'refused', refused: error.kind });
  }

  async #entry(row: Row): Promise<Entry> {
    const { request, about, message, at, answer } = await this.#open(row);
    return { id: row.id, operation: row.operation, state: row.state, made: row.made, sent: row.sent, refused: row.refused, message, at, request, about, answer };
  }

  #secret(): Promise<CryptoKey> {
    this.#key ??= (async () => {
      const { account } = this.#options;
      const kept = await this.#store.keys.get(account);
      if (kept) return kept.key;
      const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
      // Another tab may have been first; then its key is the one.
      await this.#store.keys.add({ account, key }).catch(() => {});
      return (await this.#store.keys.get(account))?.key ?? key;
    })();
    return this.#key;
  }

  async #seal(content: Content): Promise<{ iv: Uint8Array<ArrayBuffer>; box: ArrayBuffer }> {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const box = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await this.#secret(), new TextEncoder().encode(JSON.stringify(content)));
    return { iv, box };
  }

  async #open(row: Row): Promise<Content> {
    const plain = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: row.iv }, await this.#secret(), row.box);
    return JSON.parse(new TextDecoder().decode(plain)) as Content;
  }
}
