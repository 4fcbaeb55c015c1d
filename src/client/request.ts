import { cut } from '../text/acceptable.ts';
import { defaultBackoff, delayMs, wait } from '../timing/backoff.ts';
import type { Document } from './document.ts';
import { GatewayUnreachable, messageOf, RequestRefused, type ResponseError, readRetryAfter, refuseRequest } from './errors.ts';
import { graphqlUrl, headersOf, type Target } from './target.ts';

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
export interface Requester {
  readonly target: Target;
  /**
   * Runs a query or a mutation once. Retrying is the caller's decision. Only a rate-limited request
   * is sent again, when the gateway said and if its time allows: it had no effect.
   * @throws GatewayUnreachable if there was no answer, or a 5xx.
   * @throws RequestRefused if the answer has top-level errors.
   */
  request<Data, Variables>(document: Document<Data, Variables>, variables: Variables, options?: RequestOptions): Promise<Data>;
}

const defaultTimeoutSeconds = 30;

/** Sends requests to one gateway. It keeps nothing open between them. */
export function createRequester(target: Target): Requester {
  return { target, request: (document, variables, options = {}) => request(target, document, variables, options) };
}

async function request<Data, Variables>(
  target: Target,
  document: Document<Data, Variables>,
  variables: Variables,
  options: RequestOptions,
): Promise<Data> {
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
}

interface Answer {
  readonly status: number;
  readonly retryAfterMs: number | null;
  readonly requestId: string | null;
  readonly body: unknown;
}

async function post(target: Target, body: string, options: RequestOptions): Promise<Answer> {
  const { signal: caller, timeoutSeconds = defaultTimeoutSeconds } = options;
  const timeout = AbortSignal.timeout(timeoutSeconds * 1000);
  const signal = caller === undefined ? timeout : AbortSignal.any([caller, timeout]);
  try {
    const response = await fetch(graphqlUrl(target), {
      method: 'POST',
      headers: { ...headersOf(target), accept: 'application/graphql-response+json, application/json' },
      body,
      signal,
    });
    return await readAnswer(target, response);
  } catch (error) {
    caller?.throwIfAborted();
    if (error instanceof GatewayUnreachable) throw error;
    if (timeout.aborted) throw new GatewayUnreachable(`${target.url} did not answer within ${timeoutSeconds} s`, { cause: error });
    throw new GatewayUnreachable(`${target.url} cannot be reached: ${reasonOf(error)}`, { cause: error });
  }
}

/** @throws GatewayUnreachable for a 5xx. */
async function readAnswer(target: Target, response: Response): Promise<Answer> {
  const text = await response.text();
  const retryAfterMs = readRetryAfter(response.headers.get('retry-after'));
  const requestId = response.headers.get('x-request-id');
  const { status } = response;
  if (status >= 500) throw new GatewayUnreachable(`${target.url} answered ${status}${firstLine(text)}`, { retryAfterMs, requestId });
  return { status, retryAfterMs, requestId, body: parseJson(text) };
}

/**
 * Reads the answer to a subscription that was refused before its stream began.
 * @returns GatewayUnreachable for a 5xx, else RequestRefused.
 */
export async function refusalOf(target: Target, response: Response): Promise<GatewayUnreachable | RequestRefused> {
  try {
    return readRefusal(await readAnswer(target, response));
  } catch (error) {
    if (error instanceof GatewayUnreachable) return error;
    return new GatewayUnreachable(`${target.url} cannot be reached: ${reasonOf(error)}`, { cause: error });
  }
}

function readData<Data>(answer: Answer): Data {
  const { body, status } = answer;
  // The document's type describes its data. It was generated from the schema by which the gateway
  // answers.
  if (isObject(body) && !hasErrors(body) && status < 300 && isObject(body.data)) return body.data as Data;
  throw readRefusal(answer);
}

function readRefusal({ body, status, retryAfterMs, requestId }: Answer): RequestRefused {
  if (isObject(body) && hasErrors(body)) return refuseRequest(body.errors.filter(isResponseError), requestId);
  // For example a proxy's own 429.
  return new RequestRefused(codeOfStatus(status), `The answer (HTTP ${status}) is not one of a Trainyard gateway.`, {
    retryAfterMs: status === 429 ? retryAfterMs : null,
    requestId,
  });
}

function hasErrors(body: Record<string, unknown>): body is { errors: unknown[] } {
  return Array.isArray(body.errors) && body.errors.length > 0;
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
export function reasonOf(error: unknown): string {
  return messageOf(error instanceof Error && error.cause instanceof Error ? error.cause : error);
}

function firstLine(text: string): string {
  const line = text.trim().split('\n', 1)[0] ?? '';
  return line === '' ? '' : `: ${cut(line, 200)}`;
}
