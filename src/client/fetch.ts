import { cut } from '../text/acceptable.ts';
import { defaultBackoff, delayMs, wait } from '../timing/backoff.ts';
import { GatewayUnreachable, messageOf, RequestRefused, type ResponseError, readRetryAfter, refuseRequest } from './errors.ts';
import type { TypedDocumentString } from './generated.ts';
import { authorization, graphqlUrl, type Target } from './target.ts';

export interface RequestOptions {
  /** Aborts the request, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The limit for the whole answer. Default: 30. A claim that waits for work needs more than its
   * wait.
   */
  readonly timeoutSeconds?: number | undefined;
}

/** Queries and mutations over HTTP, typed by their documents. */
export interface Client {
  readonly target: Target;
  /**
   * Runs a query or a mutation once. Retrying is the caller's decision. Only a rate-limited request
   * is sent again, when the gateway said and if its time allows: it had no effect.
   * @throws GatewayUnreachable if there was no answer, or a 5xx.
   * @throws RequestRefused if the answer has top-level errors.
   */
  request<Data, Variables>(document: TypedDocumentString<Data, Variables>, variables: Variables, options?: RequestOptions): Promise<Data>;
}

const defaultTimeoutSeconds = 30;

/** A client of one gateway. It keeps nothing open between requests. */
export function createClient(target: Target): Client {
  return {
    target,
    async request(document, variables, options = {}) {
      const body = JSON.stringify({ query: document.toString(), variables });
      const giveUpAt = performance.now() + (options.timeoutSeconds ?? defaultTimeoutSeconds) * 1000;
      for (let refusals = 1; ; refusals += 1) {
        try {
          return readData(await post(target, body, options));
        } catch (error) {
          if (!(error instanceof RequestRefused) || error.retryAfterMs === null) throw error;
          const pauseMs = error.retryAfterMs + delayMs(defaultBackoff, refusals);
          if (performance.now() + pauseMs >= giveUpAt) throw error;
          await wait(pauseMs, options.signal);
        }
      }
    },
  };
}

interface Answer {
  readonly status: number;
  readonly retryAfterMs: number | null;
  readonly body: unknown;
}

async function post(target: Target, body: string, options: RequestOptions): Promise<Answer> {
  const { signal: caller, timeoutSeconds = defaultTimeoutSeconds } = options;
  const timeout = AbortSignal.timeout(timeoutSeconds * 1000);
  const signal = caller === undefined ? timeout : AbortSignal.any([caller, timeout]);
  try {
    const response = await fetch(graphqlUrl(target), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json',
        ...authorization(target),
      },
      body,
      signal,
    });
    const text = await response.text();
    const retryAfterMs = readRetryAfter(response.headers.get('retry-after'));
    if (response.status >= 500)
      throw new GatewayUnreachable(`${target.url} answered ${response.status}${firstLine(text)}`, { retryAfterMs });
    return { status: response.status, retryAfterMs, body: parseJson(text) };
  } catch (error) {
    caller?.throwIfAborted();
    if (error instanceof GatewayUnreachable) throw error;
    if (timeout.aborted) throw new GatewayUnreachable(`${target.url} did not answer within ${timeoutSeconds} s`, { cause: error });
    throw new GatewayUnreachable(`${target.url} cannot be reached: ${reasonOf(error)}`, { cause: error });
  }
}

function readData<Data>(answer: Answer): Data {
  const { body, status, retryAfterMs } = answer;
  if (isObject(body)) {
    if (Array.isArray(body.errors) && body.errors.length > 0) throw refuseRequest(body.errors.filter(isResponseError));
    // The document's type describes its data. It was generated from the schema by which the gateway
    // answers.
    if (status < 300 && isObject(body.data)) return body.data as Data;
  }
  // For example a proxy's own 429.
  throw new RequestRefused(codeOfStatus(status), `The answer (HTTP ${status}) is not one of a Trainyard gateway.`, {
    retryAfterMs: status === 429 ? retryAfterMs : null,
  });
}

function codeOfStatus(status: number): string {
  if (status === 401) return 'UNAUTHENTICATED';
  if (status === 403) return 'FORBIDDEN';
  if (status === 413 || status === 429) return 'LIMIT_EXCEEDED';
  return 'BAD_REQUEST';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isResponseError(value: unknown): value is ResponseError {
  return isObject(value) && typeof value.message === 'string';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** fetch says only "fetch failed". Its cause says what happened. */
function reasonOf(error: unknown): string {
  return messageOf(error instanceof Error && error.cause instanceof Error ? error.cause : error);
}

function firstLine(text: string): string {
  const line = text.trim().split('\n', 1)[0] ?? '';
  return line === '' ? '' : `: ${cut(line, 200)}`;
}
