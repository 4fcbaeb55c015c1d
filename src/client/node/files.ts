import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { defaultBackoff, delayMs, wait } from '../../timing/backoff.ts';
import { GatewayUnreachable, messageOf, RequestRefused } from '../errors.ts';
import { resolveUrl, type Target } from '../target.ts';
import { exchange, refusal } from './exchange.ts';

export interface TransferOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Receives the bytes transferred: of this try for an upload, of the whole file for a download.
   */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  /** How often to try. A download counts only tries that brought nothing. Default: 5. */
  readonly attempts?: number | undefined;
}

/**
 * An uploadUrl or downloadUrl, or a function that requests one: URLs expire, and a long transfer
 * may outlive one.
 */
export type FragmentUrl = string | (() => Promise<string>);

/**
 * What createFragment needs to know of a file: its size in bytes and its SHA-256 as lower-case hex.
 */
export interface FileDigest {
  readonly sizeBytes: number;
  readonly sha256: string;
}

/**
 * A file by path, or an open one. An open one is read whatever stands under its name, and stays
 * open.
 */
export type FileSource = string | FileHandle;

/**
 * Reads a file once, in constant memory, for its size and hash. If it grows, only its first size
 * counts.
 */
export async function digestFile(source: FileSource, signal?: AbortSignal): Promise<FileDigest> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  await withFile(source, async (file) => {
    for await (const chunk of readBytes(file, (await file.stat()).size, { signal })) {
      hash.update(chunk);
      sizeBytes += chunk.length;
    }
  });
  return { sizeBytes, sha256: hash.digest('hex') };
}

/**
 * Uploads a file to the URL of createFragment, streamed from disk. Starts again when the connection
 * breaks.
 * @throws RequestRefused if the gateway refuses it (wrong size or hash, expired URL);
 *   GatewayUnreachable after the last try.
 */
export async function uploadFile(target: Target, uploadUrl: FragmentUrl, source: FileSource, options: TransferOptions = {}): Promise<void> {
  let tries = 0;
  await retry(options, () =>
    withFile(source, async (file): Promise<'done'> => {
      tries += 1;
      const { size } = await file.stat();
      const url = resolveUrl(target, await resolve(uploadUrl));
      // Only as many bytes as announced: a growing file must not break the request's framing.
      const body = Readable.from(readBytes(file, size, { show: measure(0, options.onProgress) }));
      try {
        const headers = { 'content-length': size, 'content-type': 'application/octet-stream' };
        const response = await exchange({ method: 'PUT', url, headers, body, signal: options.signal });
        // "Stored already": the previous try succeeded, and its answer was lost.
        const isStored = response.statusCode === 409 && tries > 1;
        if (!isDone(response) && !isStored) throw await refusal(response);
        response.resume();
      } finally {
        body.destroy();
      }
      return 'done';
    }),
  );
}

async function withFile<Answer>(source: FileSource, use: (file: FileHandle) => Promise<Answer>): Promise<Answer> {
  if (typeof source !== 'string') return use(source);
  const file = await open(source);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** Yields exactly the first `size` bytes of an open file, or throws. */
async function* readBytes(
  file: FileHandle,
  size: number,
  { signal, show }: { signal?: AbortSignal | undefined; show?: (chunk: Buffer) => void },
): AsyncGenerator<Buffer> {
  for (let position = 0; position < size; ) {
    signal?.throwIfAborted();
    const buffer = Buffer.allocUnsafe(Math.min(64 * 1024, size - position));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) throw new Error('The file became shorter while it was read.');
    position += bytesRead;
    const chunk = buffer.subarray(0, bytesRead);
    show?.(chunk);
    yield chunk;
  }
}

export interface Download extends TransferOptions {
  /**
   * Where the file will be. Until it is complete and checked, its bytes are in `<path>.part`, from
   * which a later call goes on.
   */
  readonly path: string;
  /** Lower-case hex. If given, a file with another hash is refused. */
  readonly sha256?: string | null | undefined;
}

/**
 * Downloads a fragment into a file. Goes on where it stopped (Range) when the connection breaks.
 * @throws RequestRefused if the gateway refuses it, or the hash is wrong; GatewayUnreachable after
 *   the last try that brought nothing.
 */
export async function downloadFile(target: Target, downloadUrl: FragmentUrl, options: Download): Promise<void> {
  const part = `${options.path}.part`;
  // An earlier call's bytes are only useful if a hash can prove that they belong to the same file.
  if (!options.sha256) await rm(part, { force: true });
  let etag: string | undefined;
  await retry(options, async () => {
    const { hash, size } = await hashPart(part);
    const url = resolveUrl(target, await resolve(downloadUrl));
    const range = size === 0 ? {} : { range: `bytes=${size}-`, ...(etag !== undefined && { 'if-range': etag }) };
    const response = await exchange({ method: 'GET', url, headers: { 'accept-encoding': 'identity', ...range }, signal: options.signal });
    etag = response.headers.etag;
    if (response.statusCode === 416) {
      // The part is as long as the file, or longer. Its hash decides.
      response.resume();
      if (options.sha256 === hash.digest('hex')) return 'done';
      await rm(part, { force: true });
      return 'progress';
    }
    if (!isDone(response)) throw await refusal(response);
    return receive(response, part, response.statusCode === 206 ? { hash, size } : { hash: createHash('sha256'), size: 0 }, options);
  });
  await rename(part, options.path);
}

interface Part {
  readonly hash: Hash;
  readonly size: number;
}

async function hashPart(part: string): Promise<Part> {
  const hash = createHash('sha256');
  let size = 0;
  try {
    for await (const chunk of createReadStream(part)) {
      hash.update(chunk);
      size += chunk.length;
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  return { hash, size };
}

async function receive(response: IncomingMessage, path: string, part: Part, options: Download): Promise<'done' | 'progress'> {
  let received = 0;
  const report = measure(part.size, options.onProgress);
  const meter = tap((chunk) => {
    part.hash.update(chunk);
    received += chunk.length;
    report(chunk);
  });
  try {
    await pipeline(response, meter, createWriteStream(path, { flags: part.size === 0 ? 'w' : 'a' }));
  } catch (error) {
    options.signal?.throwIfAborted();
    if (isDiskError(error)) throw error;
    if (received > 0) return 'progress';
    throw new GatewayUnreachable(`The download broke off: ${messageOf(error)}`, { cause: error });
  }
  const sha256 = part.hash.digest('hex');
  if (options.sha256 && sha256 !== options.sha256) {
    await rm(path, { force: true });
    // A part of an earlier file may be the cause. Only a file that came in one piece proves the
    // gateway wrong.
    if (part.size > 0) return 'progress';
    throw new RequestRefused('HASH_MISMATCH', `The bytes that came have the SHA-256 ${sha256}, not ${options.sha256}.`);
  }
  return 'done';
}

/** Tries until it is done. A try that made progress resets the count. */
async function retry(options: TransferOptions, attempt: () => Promise<'done' | 'progress'>): Promise<void> {
  const { attempts = 5, signal } = options;
  for (let failures = 0; ; ) {
    signal?.throwIfAborted();
    let pauseMs = 0;
    try {
      if ((await attempt()) === 'done') return;
      failures = 0;
    } catch (error) {
      failures += 1;
      if (!(error instanceof GatewayUnreachable) || failures >= attempts) throw error;
      pauseMs = error.retryAfterMs ?? 0;
    }
    await wait(pauseMs + delayMs(defaultBackoff, Math.max(1, failures)), signal);
  }
}

/** A pass-through stream that shows each chunk. */
function tap(show: (chunk: Buffer) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      show(chunk);
      done(null, chunk);
    },
  });
}

function measure(from: number, onProgress: ((bytes: number) => void) | undefined): (chunk: Buffer) => void {
  let bytes = from;
  return (chunk) => {
    bytes += chunk.length;
    onProgress?.(bytes);
  };
}

function isDone(response: IncomingMessage): boolean {
  const status = response.statusCode ?? 0;
  return status >= 200 && status < 300;
}

/** File system errors have a syscall and a path. Socket errors have no path. */
function isDiskError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && !['read', 'connect'].includes(String(error.syscall));
}

async function resolve(url: FragmentUrl): Promise<string> {
  return typeof url === 'string' ? url : url();
}
