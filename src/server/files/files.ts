/**
 * The endpoint of fragments: PUT stores their bytes, GET and HEAD return them. A request needs a
 * signed URL, or a key that may see the fragment.
 *
 * A fragment is a user's file, not one of our pages. So it is sent as an attachment, with
 * `nosniff`, and with its own content type only if browsers do not execute that type.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { parse as parseRanges, type Range } from 'range-parser';
import { authenticate } from '../../domain/access/keys.ts';
import type { Principal } from '../../domain/access/principal.ts';
import { mayWriteFile, seesFile } from '../../domain/access/rights.ts';
import type { Domain } from '../../domain/core/domain.ts';
import { typeOfId } from '../../domain/core/ids.ts';
import { Refusal, wrongInput, wrongState } from '../../domain/core/refusals.ts';
import { badRequest, keyEnded, limitExceeded, noFile, type RequestRefused } from '../../domain/core/request-refusals.ts';
import { finishUpload, requireUpload } from '../../domain/files/fragments.ts';
import { type FileAction, isSigned } from '../../domain/files/signatures.ts';
import type { Count } from '../../instruments/instruments.ts';
import { RemovedMeanwhile, type StoredFile, TooManyBytes } from '../../store/files/file-store.ts';
import { fragmentById } from '../../store/queries/rows.ts';
import type { FragmentRow } from '../../store/schema/tables.ts';
import type { ServerParts } from '../app.ts';
import { admit } from '../connections/arrivals.ts';
import type { Rates, TooFast } from '../connections/rates.ts';
import { noteLimit } from '../errors.ts';
import { isAwaited } from '../http/params.ts';
import type { ServerInstruments } from '../watch/instruments.ts';

/** What range-parser returns if no range overlaps the file. */
const UNSATISFIABLE = 2;

/** Content types that browsers display without executing anything. */
const SAFE_TYPES =
  /^(text\/plain|text\/csv|application\/json|application\/pdf|application\/zip|application\/gzip|image\/(png|jpeg|gif|webp))$/;

class FileRefusal extends Error {
  readonly status: number;
  /** The code, and figures for programs. */
  readonly extensions: Readonly<Record<string, unknown>>;
  constructor(status: number, refusal: Refusal | RequestRefused) {
    super(refusal.message);
    this.status = status;
    this.extensions = refusal instanceof Refusal ? { code: refusal.code } : refusal.extensions;
  }
}
const notFound = () => new FileRefusal(404, noFile());
const wrongSize = (announced: number, came: number) => new FileRefusal(422, wrongInput.uploadSize(announced, came));
const preconditionFailed = ({ status }: FragmentRow) => new FileRefusal(412, wrongState.fragmentIsOther(status));

/** Throws a refusal of 429. */
function requirePace(tooFast: TooFast | null): void {
  if (tooFast) throw new FileRefusal(429, tooFast.error);
}

export interface FragmentEndpointParts {
  /** How long an upload or download may make no progress before its client is disconnected. */
  readonly stallMs: number;
  /** Reports when a key ends: transfers that use it are cut. */
  readonly onKeyEnd: ServerParts<object>['onKeyEnd'];
  readonly instruments: ServerInstruments;
}

export function fragmentEndpoint(domain: Domain, rates: Rates, parts: FragmentEndpointParts) {
  const { instruments } = parts;
  return async (request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> => {
    try {
      const id = url.pathname.slice('/fragments/'.length);
      if (typeOfId(id) !== 'Fragment') throw notFound();
      // Transfers have no time limit as a whole. A socket without progress for this long is
      // destroyed.
      request.socket.setTimeout(parts.stallMs);
      const action = actionOf(request.method);
      const { fragment, principal } = await requireFragment({ domain, rates, request, response, id, url }, action);
      if (principal) cutWithKey(parts, principal, request, response);
      if (action === 'PUT') await put(domain, instruments, request, response, fragment);
      else await get(domain, instruments, request, response, fragment);
    } catch (error) {
      answerError(instruments, request, response, error);
    } finally {
      const status = response.headersSent && !response.errored ? String(response.statusCode) : 'gone';
      instruments.fragmentTransfers.of({ direction: request.method === 'PUT' ? 'in' : 'out', status }).add();
    }
  };
}

function actionOf(method: string | undefined): FileAction {
  if (method === 'PUT') return 'PUT';
  if (method === 'GET' || method === 'HEAD') return 'GET';
  throw new FileRefusal(405, badRequest.fileMethod());
}

interface Asked {
  readonly domain: Domain;
  readonly rates: Rates;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly id: string;
  readonly url: URL;
}

/**
 * Returns the requested fragment and the principal of the key, which is null for a signed URL.
 * Throws if the client has no right to the fragment, or exceeds a rate.
 */
async function requireFragment(
  { domain, rates, request, response, id, url }: Asked,
  action: FileAction,
): Promise<{ fragment: FragmentRow; principal: Principal | null }> {
  const isSignedUrl = isSigned(domain, action, id, url.searchParams);
  const principal = isSignedUrl ? null : await authenticate(domain, request.headers.authorization);
  if (isSignedUrl) requirePace(rates.takeOfAddress(url.pathname, response));
  else requirePace(principal ? rates.takeOf(principal, 1, response) : rates.takeOfStranger(request));
  const [fragment] = await domain.store.read.run(fragmentById, { id });
  const isAllowed = fragment && (isSignedUrl || (principal && (action === 'PUT' ? mayWriteFile : seesFile)(principal, fragment)));
  if (!isAllowed) throw notFound();
  admit(request);
  return { fragment, principal };
}

/**
 * A transfer may take hours, but it ends with its key. An upload still gets an error. A download
 * just ends.
 */
function cutWithKey({ onKeyEnd }: FragmentEndpointParts, principal: Principal, request: IncomingMessage, response: ServerResponse): void {
  const stop = onKeyEnd(principal, (why) => {
    if (response.headersSent) {
      response.destroy();
      return;
    }
    response.once('finish', () => request.destroy());
    sendRefusal(request, response, new FileRefusal(401, keyEnded(why)));
  });
  response.once('close', stop);
}

/** A fragment is stored as received: compressed bytes would be served as if they were the file. */
function requireUnpacked({ headers }: IncomingMessage): void {
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return;
  throw new FileRefusal(415, badRequest.contentEncoding());
}

async function put(
  domain: Domain,
  instruments: ServerInstruments,
  request: IncomingMessage,
  response: ServerResponse,
  announced: FragmentRow,
): Promise<void> {
  const { id } = announced;
  if (announced.status === 'READY') throw new FileRefusal(409, wrongState.fragmentStored(announced.status, []));
  // Before 100 Continue, so that the client does not send a body that is refused.
  await requireUpload(domain, announced);
  requireUnpacked(request);
  if (request.headers['content-range']) throw new FileRefusal(400, badRequest.contentRange());
  const atMost = announced.sizeBytes ?? domain.limits.fragmentBytesAtMost;
  const length = Number(request.headers['content-length'] ?? Number.NaN);
  if (length > atMost) throw new FileRefusal(413, limitExceeded.fragmentAnnounced(atMost, length));
  if (announced.sizeBytes !== null && length < announced.sizeBytes) throw wrongSize(announced.sizeBytes, length);
  // There are no bytes yet that an ETag could match.
  if (request.headers['if-match'] !== undefined) throw preconditionFailed(announced);
  if (isAwaited(request)) response.writeContinue();
  // When all bytes have arrived, the disk may take as long as it needs.
  request.once('end', () => request.socket.setTimeout(0));
  // A client that is refused during its upload must still get the error. Destroying the request
  // would destroy its connection.
  const received = await domain.files.receive(
    id,
    counted(request.iterator({ destroyOnReturn: false }), instruments.fragmentBytes.of({ direction: 'in' })),
    atMost,
  );
  try {
    requireWhole(announced, received.file);
    await received.keep();
    const fragment = await finish(domain, id, received.file);
    const body = JSON.stringify({ id, status: fragment.status, sizeBytes: fragment.sizeBytes, sha256: fragment.sha256 });
    response.writeHead(200, { 'content-type': 'application/json', etag: `"${fragment.sha256}"` }).end(body);
  } finally {
    // Removes a partial file. Does nothing if the file was kept.
    await received.drop();
  }
}

/**
 * Finishes the upload. Removes its bytes if it is refused now, although they were stored: the lease
 * ran out, another upload was first, or the fragment is gone.
 */
async function finish(domain: Domain, id: string, file: StoredFile): Promise<FragmentRow> {
  try {
    return await finishUpload(domain, id, file);
  } catch (error) {
    if (error instanceof Refusal) {
      const [fragment] = await domain.store.read.run(fragmentById, { id });
      // Another upload stored the same bytes first, and they are its file.
      const areKept = fragment?.status === 'READY' && fragment.sha256 === file.sha256;
      if (!areKept) await domain.files.removeFile({ id, sha256: file.sha256 });
    }
    throw error;
  }
}

function requireWhole(announced: FragmentRow, { sizeBytes, sha256 }: { sizeBytes: number; sha256: string }): void {
  if (announced.sizeBytes !== null && announced.sizeBytes !== sizeBytes) {
    throw wrongSize(announced.sizeBytes, sizeBytes);
  }
  if (announced.sha256 !== null && announced.sha256 !== sha256) {
    throw new FileRefusal(422, wrongInput.uploadHash(announced.sha256, sha256));
  }
}

async function get(
  domain: Domain,
  instruments: ServerInstruments,
  request: IncomingMessage,
  response: ServerResponse,
  fragment: FragmentRow,
): Promise<void> {
  const { id, status, sha256, sizeBytes, filename, contentType } = fragment;
  if (status !== 'READY' || sha256 === null || sizeBytes === null) throw notFound();
  const etag = `"${sha256}"`;
  const headers: Record<string, string | number> = {
    etag,
    'accept-ranges': 'bytes',
    'cache-control': 'private, no-cache',
    'content-type': SAFE_TYPES.test(contentType) ? contentType : 'application/octet-stream',
    'content-disposition': dispositionOf(filename),
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; sandbox",
  };
  const ifMatch = request.headers['if-match'];
  if (ifMatch !== undefined && !matchesStrongly(ifMatch, etag)) throw preconditionFailed(fragment);
  if (matches(request.headers['if-none-match'], etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  const ifRange = request.headers['if-range'];
  const isRangeUsed = request.method === 'GET' && (ifRange === undefined || ifRange === etag);
  const range = isRangeUsed ? parseRange(request.headers.range, sizeBytes) : 'whole';
  if (range === 'unsatisfiable') {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${sizeBytes}` }).end();
    return;
  }
  const part = range === 'whole' ? { start: 0, end: sizeBytes - 1 } : range;
  headers['content-length'] = part.end - part.start + 1;
  if (range !== 'whole') headers['content-range'] = `bytes ${part.start}-${part.end}/${sizeBytes}`;
  response.writeHead(range === 'whole' ? 200 : 206, headers);
  if (request.method === 'HEAD' || sizeBytes === 0) {
    response.end();
    return;
  }
  const count = instruments.fragmentBytes.of({ direction: 'out' });
  await pipeline(domain.files.read({ id, sha256 }, part), (bytes) => counted(bytes, count), response);
}

async function* counted(bytes: AsyncIterable<Uint8Array>, count: Count): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    count.add(chunk.length);
    yield chunk;
  }
}

const matches = (header: string | undefined, etag: string) =>
  header !== undefined && (header === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag));

const matchesStrongly = (header: string, etag: string) => header === '*' || header.split(',').some((tag) => tag.trim() === etag);

/**
 * The part of the file that a Range header asks for. Several ranges, other units and invalid
 * headers get the whole file, as RFC 9110 allows.
 */
function parseRange(header: string | undefined, sizeBytes: number): Range | 'whole' | 'unsatisfiable' {
  // No file is that large, and such a number would be rounded.
  if (header === undefined || /\d{17}/.test(header)) return 'whole';
  const { code, type, ranges } = parseRanges(sizeBytes, header);
  if (type !== 'bytes') return 'whole';
  const [only, ...others] = ranges;
  if (!only) return code === UNSATISFIABLE ? 'unsatisfiable' : 'whole';
  return code === 0 && others.length === 0 ? only : 'whole';
}

/**
 * The filename may be a path, of which the last name is sent. `filename` has no escapes, because
 * browsers read them differently (RFC 6266, appendix D). `filename*` has the exact name. The
 * package content-disposition escapes quotes, and omits `filename*` for most names.
 */
function dispositionOf(filename: string): string {
  const name = filename.slice(filename.lastIndexOf('/') + 1);
  return `attachment; filename="${asciiOf(name)}"; filename*=UTF-8''${encodeRfc5987(name)}`;
}
const asciiOf = (filename: string) => filename.replace(/[^\x20-\x7e]|["\\%]/g, '_');
const encodeRfc5987 = (filename: string) =>
  encodeURIComponent(filename).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

function answerError(instruments: ServerInstruments, request: IncomingMessage, response: ServerResponse, error: unknown): void {
  // Not `request.destroyed`: that is also true of a request that was read to its end.
  if (request.errored || response.destroyed || response.headersSent) {
    // The client is gone, or its download failed: only the broken connection can tell it.
    response.destroy();
    return;
  }
  const refusal = refusalOf(error);
  if (!refusal) throw error;
  noteLimit(instruments, refusal.extensions);
  sendRefusal(request, response, refusal);
}

function sendRefusal(request: IncomingMessage, response: ServerResponse, refusal: FileRefusal): void {
  const body = JSON.stringify({ errors: [{ message: refusal.message, extensions: refusal.extensions }] });
  // The rest of a refused upload is not read, so its connection cannot be reused.
  const headers: Record<string, string> = request.method === 'PUT' ? { connection: 'close' } : {};
  const { retryAfterMs } = refusal.extensions;
  if (typeof retryAfterMs === 'number') headers['retry-after'] = String(Math.ceil(retryAfterMs / 1_000));
  response.writeHead(refusal.status, { 'content-type': 'application/json', ...headers }).end(body);
}

function refusalOf(error: unknown): FileRefusal | null {
  if (error instanceof FileRefusal) return error;
  if (error instanceof RemovedMeanwhile) return notFound();
  if (error instanceof TooManyBytes) return new FileRefusal(413, limitExceeded.fragment(error));
  if (error instanceof Refusal) return new FileRefusal(error.code === 'NOT_FOUND' ? 404 : 409, error);
  return null;
}
