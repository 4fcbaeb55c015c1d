import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { cut } from '../../text/acceptable.ts';
import { GatewayUnreachable, messageOf, RequestRefused, type ResponseError, readRetryAfter, refuseRequest } from '../errors.ts';

export interface Exchange {
  readonly method: 'GET' | 'PUT';
  readonly url: URL;
  readonly headers: OutgoingHttpHeaders;
  readonly body?: Readable | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A transfer may take hours. One that does not move for this long counts as dead. */
const idleTimeoutMs = 30_000;

/**
 * Sends one HTTP request with a body of any length. Resolves with the response, its body unread.
 * Uses node:http, because fetch limits the time to the response's headers even while a long upload
 * goes on.
 * @throws GatewayUnreachable if the connection failed or stalled; the signal's reason if it was
 *   aborted.
 */
export async function exchange(options: Exchange): Promise<IncomingMessage> {
  const { method, url, headers, body, signal } = options;
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  const request = send(url, { method, headers, ...(signal && { signal }) });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
  });
  request.setTimeout(idleTimeoutMs, () => request.destroy(new Error(`nothing moved for ${idleTimeoutMs / 1000} s`)));
  if (body === undefined) request.end();
  // A gateway that refuses an upload answers before it has all of it. That answer says more than
  // the broken pipe that follows.
  else pipeline(body, request).catch((error) => request.destroy(error));
  try {
    return await answered;
  } catch (error) {
    signal?.throwIfAborted();
    throw new GatewayUnreachable(`${url.origin} cannot be reached: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Turns an unexpected response into an error.
 * @returns GatewayUnreachable for a 5xx (retry), else RequestRefused.
 */
export async function refusal(response: IncomingMessage): Promise<GatewayUnreachable | RequestRefused> {
  const status = response.statusCode ?? 0;
  let text = '';
  try {
    for await (const chunk of response.setEncoding('utf8')) {
      text += String(chunk);
      if (text.length > 2_000) break;
    }
  } catch {
    // Use the status alone.
  }
  const said = readErrors(text);
  const message = `HTTP ${status}: ${said?.message ?? cut(text.trim().split('\n', 1)[0] ?? '', 300)}`;
  const retryAfterMs = readRetryAfter(response.headers['retry-after']);
  return status >= 500 || status === 429
    ? new GatewayUnreachable(message, { retryAfterMs })
    : new RequestRefused(said?.code ?? `HTTP_${status}`, message);
}

/**
 * The file endpoints refuse like GraphQL:
 * `{"errors": [{"message": …, "extensions": {"code": …}}]}`.
 */
function readErrors(text: string): RequestRefused | undefined {
  try {
    const body: { errors?: ResponseError[] } | null = JSON.parse(text);
    return body?.errors === undefined ? undefined : refuseRequest(body.errors);
  } catch {
    return undefined;
  }
}
