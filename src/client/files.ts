import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { defaultBackoff, delayMs, wait } from './backoff.ts';
import { GatewayUnreachable, messageOf, RequestRefused } from './errors.ts';
import { exchange, refusal } from './exchange.ts';
import { resolveUrl, type Target } from './target.ts';

export interface TransferOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told of the bytes that are across, of this attempt for an upload and of the whole for a download. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  /** How often to try before giving up; a download counts only attempts that brought nothing. Default: 5. */
  readonly attempts?: number | undefined;
}

/** An uploadUrl or downloadUrl as the gateway answered it, or how to ask for one: they expire, and a long transfer may outlive one. */
export type FragmentUrl = string | (() => Promise<string>);

/** What createFragment wants to know of a file: its size in bytes and its SHA-256 as lower-case hex. */
export interface FileDigest {
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** A file by its path, or one that is open: that one is read, whatever stands under its name meanwhile. It stays open. */
export type FileSource = string | FileHandle;

/** Reads a file once, at constant memory, for its size and hash. Of one that grows meanwhile, as much as it had. */
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
 * Puts a file's bytes where createFragment said, streamed from disk, from the start again when the connection breaks.
 * @throws RequestRefused when the gateway does not take them (wrong size or hash, expired URL); GatewayUnreachable after the last attempt.
 */
export async function uploadFile(target: Target, uploadUrl: FragmentUrl, source: FileSource, options: TransferOptions = {}): Promise<void> {
  let tries = 0;
  await retry(options, () =>
    withFile(source, async (file): Promise<'done'> => {
      tries += 1;
      const { size } = await file.stat();
      const url = resolveUrl(target, await resolve(uploadUrl));
      // Only as many bytes as were announced: a file that is still being written to must not break the framing of the request.
      const body = Readable.from(readBytes(file, size, { show: measure(0, options.onProgress) }));
      try {
        const headers = { 'content-length': size, 'content-type': 'application/octet-stream' };
        const response = await exchange({ method: 'PUT', url, headers, body, signal: options.signal });
        // "Stored already": the try before this one got there whole, only its answer was lost.
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

/** The first bytes of an open file: so many, or an error. */
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
  /** Where the whole file will be; until it is whole and proven, its bytes are in `<path>.part`, from which a later call goes on. */
  readonly path: string;
  /** Lower-case hex; when given, the file is refused if its bytes do not give it. */
  readonly sha256?: string | null | undefined;
}

/**
 * Gets a fragment's bytes into a file, going on from where it stopped (Range) when the connection breaks.
 * @throws RequestRefused when the gateway does not give them, or they do not have the hash that they should; GatewayUnreachable
 * after the last attempt that brought nothing.
 */
export async function downloadFile(target: Target, downloadUrl: FragmentUrl, options: Download): Promise<void> {
  const part = `${options.path}.part`;
  // Bytes of an earlier call are only worth something if the hash can tell at the end that they belong to the same file.
  if (!options.sha256) await rm(part, { force: true });
  let etag: string | undefined;
  await retry(options, async () => {
    const { hash, size } = await hashPart(part);
    const url = resolveUrl(target, await resolve(downloadUrl));
    const range = size === 0 ? {} : { range: `bytes=${size}-`, ...(etag !== undefined && { 'if-range': etag }) };
    const response = await exchange({ method: 'GET', url, headers: { 'accept-encoding': 'identity', ...range }, signal: options.signal });
    etag = response.headers.etag;
    if (response.statusCode === 416) {
      // The part is already as long as the file, or longer; its hash tells which.
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
    // What a part of an earlier file left may be to blame: only a file that came whole in one piece proves the gateway wrong.
    if (part.size > 0) return 'progress';
    throw new RequestRefused('HASH_MISMATCH', `The bytes that came have the SHA-256 ${sha256}, not ${options.sha256}.`);
  }
  return 'done';
}

/** Tries until it is done; after an attempt that at least made progress, the count starts anew. */
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

/** A stream that lets everything through and shows each piece. */
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

/** Errors of the file system carry the call that failed and a path; those of a socket carry no path. */
function isDiskError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && !['read', 'connect'].includes(String(error.syscall));
}

async function resolve(url: FragmentUrl): Promise<string> {
  return typeof url === 'string' ? url : url();
}
