import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { badRequest, limitExceeded, type RequestRefused } from '../../domain/core/request-refusals.ts';
import type { GraphqlParts } from '../app.ts';
import type { Params } from '../context.ts';
import { HttpRefusal } from './refusal.ts';
import { readTarget } from './target.ts';

type BodyParts = Pick<GraphqlParts<object>, 'limits' | 'bodyTime'>;

/**
 * The parameters of a request, from the body of a POST or the query string of other methods. Throws
 * an HttpRefusal if there are none.
 */
export function readParams(request: IncomingMessage, response: ServerResponse, parts: BodyParts): Promise<Params> | Params {
  return request.method === 'POST' ? readBodyParams(request, response, parts) : readQueryString(request);
}

/** Throws an HttpRefusal of 405 for a method that GraphQL over HTTP does not define. */
export function requireMethod({ method = '' }: IncomingMessage): void {
  if (['GET', 'HEAD', 'POST'].includes(method)) return;
  throw new HttpRefusal(405, badRequest.method(), { allow: 'GET, HEAD, POST, OPTIONS' });
}

/**
 * The parameters of a POST. Throws an HttpRefusal: 415 for anything but JSON in UTF-8 (which a form
 * on another site cannot send without a preflight), 413 above `bodyBytes`, 408 after `bodyMs`, 400
 * for anything that is not a GraphQL request.
 */
async function readBodyParams(request: IncomingMessage, response: ServerResponse, parts: BodyParts): Promise<Params> {
  checkMediaType(request);
  const bytes = await readBody(request, response, parts);
  if (!isUtf8(bytes)) throw malformed(badRequest.notUtf8('body'));
  // Some editors begin files with a byte order mark.
  const text = bytes.toString('utf8').replace(/^\ufeff/, '');
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw malformed(text === '' ? badRequest.emptyBody() : badRequest.bodyNoJson());
  }
  return checkParams(body);
}

/** The parameters of a GET. Throws an HttpRefusal of 400. */
function readQueryString(request: IncomingMessage): Params {
  const searchParams = readSearch(readTarget(request.url).search);
  const readJson = (name: string) => {
    const text = searchParams.get(name);
    if (text === null || text === '') return null;
    try {
      return JSON.parse(text);
    } catch {
      throw wrongField(name, 'JSON');
    }
  };
  return checkParams({
    query: searchParams.get('query'),
    operationName: searchParams.get('operationName'),
    variables: readJson('variables'),
    extensions: readJson('extensions'),
    documentId: searchParams.get('documentId'),
    doc_id: searchParams.get('doc_id'),
  });
}

/** Refuses anything but UTF-8: URLSearchParams would replace other bytes without an error. */
function readSearch(search: string): URLSearchParams {
  try {
    decodeURIComponent(search.replaceAll(/%(?![\da-f]{2})/gi, '%25'));
  } catch {
    throw malformed(badRequest.notUtf8('query string'));
  }
  return new URLSearchParams(search);
}

/** Checks the parameters. Throws an HttpRefusal of 400 that names the field. */
export function checkParams(body: unknown): Params {
  if (Array.isArray(body)) throw malformed(badRequest.batch());
  if (!isRecord(body)) throw malformed(badRequest.bodyNoObject());
  const { query, variables, extensions } = body;
  const operationName = readString(body, 'operationName');
  if (variables != null && !isRecord(variables)) throw wrongField('variables', 'an object or null');
  if (extensions != null && !isRecord(extensions)) throw wrongField('extensions', 'an object or null');
  const documentId = readDocumentId(body);
  const isNamed = checkPersistedQuery(extensions?.persistedQuery) || documentId !== null;
  if (typeof query !== 'string' && !(query == null && isNamed)) throw malformed(badRequest.noQuery());
  return {
    query: query ?? '',
    // Some clients send an empty name instead of none.
    ...(operationName ? { operationName } : {}),
    ...(variables ? { variables } : {}),
    ...(extensions ? { extensions } : {}),
    ...(documentId === null ? {} : { documentId }),
  };
}

function readString(body: Readonly<Record<string, unknown>>, name: string): string | null {
  const value = body[name] ?? null;
  if (value !== null && typeof value !== 'string') throw wrongField(name, 'a string or null');
  return value;
}

/** Relay calls it `doc_id`. */
function readDocumentId(body: Readonly<Record<string, unknown>>): string | null {
  const [documentId, docId] = [readString(body, 'documentId'), readString(body, 'doc_id')];
  if (documentId !== null && docId !== null && documentId !== docId) throw malformed(badRequest.idsDiffer('documentId', 'doc_id'));
  return documentId ?? docId;
}

/**
 * Whether there is a persisted query: `{"version": 1, "sha256Hash": "…"}`. Throws an HttpRefusal of
 * 400 that names the field.
 */
function checkPersistedQuery(persisted: unknown): boolean {
  if (persisted == null) return false;
  if (!isRecord(persisted)) throw wrongField('extensions.persistedQuery', 'an object or null');
  const { version = 1, sha256Hash } = persisted;
  if (version !== 1) throw wrongField('extensions.persistedQuery.version', '1');
  if (typeof sha256Hash !== 'string') throw wrongField('extensions.persistedQuery.sha256Hash', 'a string');
  return true;
}

function checkMediaType(request: IncomingMessage): void {
  const type = request.headers['content-type'];
  // The usual type is compared, because this is on the path of every request. The rest is parsed.
  const isJson = type === 'application/json' || (type !== undefined && isUtf8Json(type));
  if (!isJson) throw new HttpRefusal(415, badRequest.mediaType());
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new HttpRefusal(415, badRequest.contentEncoding());
  }
}

function isUtf8Json(type: string): boolean {
  const [essence, ...parameters] = type.toLowerCase().split(';');
  if (essence?.trim() !== 'application/json') return false;
  return parameters.every((parameter) => {
    const [name, value] = parameter.split('=');
    return name?.trim() !== 'charset' || /^"?(utf-?8|us-ascii)"?$/.test(value?.trim() ?? '');
  });
}

function readBody(request: IncomingMessage, response: ServerResponse, { limits: { bodyBytes }, bodyTime }: BodyParts): Promise<Buffer> {
  const announced = Number(request.headers['content-length'] ?? 0);
  // If a body does not announce its length, `asked` is what has arrived so far.
  const tooLarge = (asked: number) => new HttpRefusal(413, limitExceeded.body(bodyBytes, asked));
  const tooSlow = () => new HttpRefusal(408, limitExceeded.bodyTime(bodyTime.ms));
  if (announced > bodyBytes) return Promise.reject(tooLarge(announced));
  if (isAwaited(request)) response.writeContinue();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let isSettled = false;
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bodyBytes) settle(tooLarge(bytes));
      else chunks.push(chunk);
    };
    const done = () => settle(null);
    // 'close' follows every request.
    const broken = () => {
      if (!isSettled) settle(malformed(badRequest.bodyIncomplete()));
    };
    // It keeps listening for errors: the peer may disconnect while it is refused.
    const settle = (refusal: HttpRefusal | null) => {
      if (isSettled) return;
      isSettled = true;
      bodyTime.end(running);
      if (refusal) {
        request.off('data', take);
        reject(refusal);
      } else {
        const [only] = chunks;
        resolve(only && chunks.length === 1 ? only : Buffer.concat(chunks));
      }
    };
    const running = bodyTime.begin(() => settle(tooSlow()));
    request.on('data', take).on('end', done).on('close', broken).on('error', broken);
  });
}

/** Whether the client waits for 100 Continue before it sends its body. */
export const isAwaited = ({ headers: { expect } }: IncomingMessage): boolean =>
  expect !== undefined && /(^|,)\s*100-continue\s*(,|$)/i.test(expect);

const malformed = (refusal: RequestRefused) => new HttpRefusal(400, refusal);
const wrongField = (name: string, what: string) => malformed(badRequest.field(name, what));

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
