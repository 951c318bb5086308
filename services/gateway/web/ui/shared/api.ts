import { signIn, token } from './session';

/** ErrorClass is what pkg/fault sends, and "offline" when no answer came. */
export type ErrorClass =
  | 'invalid' | 'unauthenticated' | 'forbidden' | 'not-found' | 'conflict' | 'gone' | 'precondition'
  | 'too-large' | 'limited' | 'unavailable' | 'internal' | 'unprocessable' | 'offline';

/** ApiError is a refused or failed operation. Show it with ErrorNote, which says it in kind words. */
export class ApiError extends Error {
  constructor(readonly kind: ErrorClass, message: string, readonly at = '') {
    super(message);
    this.name = 'ApiError';
  }
}

/**
 * Full is the answer as the server writes it: every plain field is there
 * (protojson with default values), messages and optional numbers may be absent.
 */
export type Full<T> = T extends (infer E)[]
  ? Full<E>[]
  : T extends object
    ? { [K in keyof T]-?: FullField<NonNullable<T[K]>> }
    : T;
// A double's JSON type has 'NaN' among its members; ours are finite or not set.
type FullField<F> = [F] extends [string | boolean | number] ? ('NaN' extends F ? (string extends F ? F : number | undefined) : F)
  : F extends unknown[] ? Full<F>
    : Full<F> | undefined;

/** CallOptions: reason is why the user opens a record; it is kept in the audit log. */
export interface CallOptions { reason?: string; signal?: AbortSignal }

async function send(path: string, init: RequestInit, options: CallOptions): Promise<Response> {
  const bearer = await token();
  const headers = new Headers(init.headers);
  if (bearer) headers.set('Authorization', `Bearer ${bearer}`);
  if (options.reason) headers.set('Yba-Reason', encodeURIComponent(options.reason));
  let answer: Response;
  try {
    answer = await fetch(path, { ...init, headers, signal: options.signal ?? null, cache: 'no-store' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError('offline', 'no answer');
  }
  if (answer.status === 401) {
    await signIn(window.location.pathname + window.location.search);
  }
  return answer;
}

const byStatus: Record<number, ErrorClass> = {
  400: 'invalid', 403: 'forbidden', 404: 'not-found', 409: 'conflict', 410: 'gone', 412: 'precondition',
  413: 'too-large', 422: 'unprocessable', 429: 'limited', 502: 'unavailable', 503: 'unavailable', 504: 'unavailable',
};

async function failure(answer: Response): Promise<ApiError> {
  const kind = byStatus[answer.status] ?? 'internal';
  try {
    const body = await answer.json();
    if (body?.error?.class) return new ApiError(body.error.class, body.error.message ?? '', body.error.at ?? '');
    // FHIR answers with an OperationOutcome (https://hl7.org/fhir/R4/operationoutcome.html).
    const issue = body?.issue?.[0];
    if (issue) return new ApiError(kind, issue.diagnostics ?? issue.details?.text ?? '', issue.expression?.[0] ?? '');
  } catch {
    // Not JSON: the status alone must do.
  }
  return new ApiError(kind, `status ${answer.status}`);
}

/** call runs an operation, "consults.Book", with the proto's JSON. Prefer the typed functions in shared/services.ts. */
export async function call<Answer>(operation: string, body: object = {}, options: CallOptions = {}): Promise<Answer> {
  const [service, method] = operation.split('.');
  const answer = await send(`/api/${service}/v1/${method}`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  }, options);
  if (!answer.ok) throw await failure(answer);
  return (await answer.json()) as Answer;
}

/** fhir reads from the FHIR API: "Patient/12", or a search "Observation?patient=12". */
export async function fhir<Answer>(path: string, options: CallOptions = {}): Promise<Answer> {
  const answer = await send(`/fhir/R4/${path}`, { headers: { Accept: 'application/fhir+json' } }, options);
  if (!answer.ok) throw await failure(answer);
  return (await answer.json()) as Answer;
}
