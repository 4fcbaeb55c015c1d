/** Requests, and what holds for the answer to any request (P14). */
import type { Gateway } from '../support/gateway.ts';
import type { Asking } from './documents.ts';

/** A point query takes a few ms. A request that takes this long on a busy machine hangs. */
const WITHIN_MS = 8_000;

const codes = new Set(['UNAUTHENTICATED', 'FORBIDDEN', 'BAD_REQUEST', 'LIMIT_EXCEEDED', 'UNAVAILABLE']);

/** Traces of the gateway's inside: stacks, SQL, files, JavaScript's own messages. */
const LEAKS =
  /\n\s+at |node_modules|file:\/\/|\.ts:\d|SQLITE_|sqlite3|Failed query|violates|syntax error at|Cannot read|is not a function|is not iterable|Maximum call stack|out of memory|ECONN|ENOENT/;

export interface Told {
  readonly status: number;
  /** `data`, or the code of the first error. */
  readonly outcome: string;
}

/**
 * Asks, and throws unless the answer comes in time, is data or typed errors, and shows nothing of
 * the inside.
 */
export async function ask(gateway: Gateway, { query, variables }: Asking): Promise<Told> {
  const started = performance.now();
  const isStream = query.startsWith('subscription');
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${gateway.adminKey}`,
      accept: isStream ? 'text/event-stream' : 'application/graphql-response+json',
    },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(WITHIN_MS),
  });
  const text = isStream ? await firstEvent(response) : await response.text();
  const fail = (why: string) => {
    throw new Error(`${why}\n${text.slice(0, 1_000)}\n${gateway.output().slice(-1_500)}`);
  };
  if (response.status >= 500) fail(`It answered ${response.status}.`);
  if (performance.now() - started > WITHIN_MS) fail('It took too long.');
  if (text === '') return { status: response.status, outcome: 'nothing' };
  const { data, errors = [] } = JSON.parse(text) as { data?: unknown; errors?: { message: string; extensions?: { code?: string } }[] }; // the shape of a GraphQL response
  if (!data && errors.length === 0 && !(data === null)) fail('It answered neither data nor errors.');
  for (const { message, extensions } of errors) {
    if (!codes.has(extensions?.code ?? '')) fail(`The code ${extensions?.code} is not one that a client knows.`);
    if (LEAKS.test(message)) fail('An error shows the inside.');
  }
  if (LEAKS.test(text)) fail('The answer shows the inside.');
  return { status: response.status, outcome: errors[0]?.extensions?.code ?? 'data' };
}

/**
 * The data of the first event; empty if the stream ends without one. Leaving the loop cancels the
 * stream.
 */
async function firstEvent(response: Response): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const part of response.body ?? []) {
    text += decoder.decode(part, { stream: true });
    const data = /^data: (\{.*\})$/m.exec(text)?.[1];
    if (data !== undefined) return data;
  }
  return response.headers.get('content-type')?.startsWith('text/event-stream') ? '' : text;
}
