import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { Refused, RequestRefused, unwrap } from '../../client/errors.ts';
import { CreateFragmentDocument, type CreateFragmentInput, type FragmentType, GatewayLimitsDocument } from '../../client/generated.ts';
import { digestFile, type FileDigest, uploadFile } from '../../client/node/files.ts';
import type { Requester } from '../../client/request.ts';
import { quoteName } from '../../text/acceptable.ts';
import type { Mask } from '../../text/mask.ts';
import type { Directory } from '../files/directory.ts';
import { fragmentFiles } from '../files/fragment-files.ts';
import { Notes } from '../files/notes.ts';
import { isTransient, requestUntilAnswered } from '../retrying.ts';

export interface HandIn {
  readonly client: Requester;
  /** The attempt's work folder. */
  readonly work: Directory;
  readonly jobId: string;
  readonly stepNumber: number;
  readonly leaseToken: string;
  readonly attempt: number;
  /** Hides secrets in file names. */
  readonly mask: Mask;
  /** A line for the step's log. */
  readonly note: (line: string) => void;
  /** Aborts the upload. */
  readonly signal: AbortSignal;
}

/**
 * How often one file is sent if the gateway refuses its bytes (it changed after it was hashed, or a
 * URL expired).
 */
const maxRefusals = 3;

/**
 * For one attempt: reading and sending a folder of files must have a limit, whatever sizes the step
 * claims.
 */
const mostBytes = 100 * 1024 ** 3;

/**
 * Uploads the plain files that a step left, one by one in order of name, each streamed from disk
 * and retried until the gateway has it. Notes other entries, and names that the gateway refuses.
 * Resolves with what should have been uploaded and could not, one sentence each. Rejects with the
 * signal's reason when it is aborted.
 */
export async function handInFragments(handIn: HandIn): Promise<string[]> {
  const problems: string[] = [];
  const notes = new Notes(handIn.note);
  let atMost: number | null = null;
  let left = mostBytes;
  for await (const { path, handle } of fragmentFiles(handIn.work, (line) => notes.add(line))) {
    try {
      atMost ??= await askLimit(handIn);
      const { size } = await handle.stat();
      // Before reading: a sparse file has any size at no cost.
      if (size > atMost) throw new Error(`it has ${size} bytes, and the gateway takes at most ${atMost}.`);
      if (size > left) throw new Error(`together they would have more than ${mostBytes} bytes.`);
      left -= size;
      await handInUnderFreeName(handIn, handIn.mask.text(path), handle);
    } catch (error) {
      handIn.signal.throwIfAborted();
      const name = quoteName(`fragments/${path}`);
      const wrongName = wrongNameOf(error);
      if (wrongName !== null) {
        notes.add(`${name} is not uploaded: its name ${wrongName}`);
        continue;
      }
      const message = error instanceof Error ? error.message : String(error);
      problems.push(`${name} could not be uploaded: ${message}`);
    }
  }
  notes.end('fragments');
  return problems;
}

/**
 * Why the gateway refuses a name: such a file is left out, and the step does not fail. Null for any
 * other error.
 */
function wrongNameOf(error: unknown): string | null {
  const issues = error instanceof Refused ? error.issues.filter(({ path }) => path[0] === 'filename') : [];
  return issues.length === 0 ? null : issues.map(({ message }) => message).join(' It ');
}

async function askLimit({ client, signal }: HandIn): Promise<number> {
  const { gateway } = await requestUntilAnswered(client, GatewayLimitsDocument, {}, { signal });
  const { fragmentBytesAtMost } = gateway.limits;
  return typeof fragmentBytesAtMost === 'number' ? fragmentBytesAtMost : Number.POSITIVE_INFINITY;
}

/** A file's type, by its name. */
function typeOfFile(path: string): FragmentType {
  const name = basename(path).toLowerCase();
  if (name.endsWith('.safetensors')) return 'MODEL';
  if (name.endsWith('.log')) return 'BUILD_LOGS';
  return /^metrics.*\.(jsonl|csv)$/.test(name) ? 'METRICS' : 'DATA';
}

/** A file that another step uploaded under this name stays. */
async function handInUnderFreeName(handIn: HandIn, filename: string, file: FileHandle): Promise<void> {
  try {
    await handInFile(handIn, filename, file);
  } catch (error) {
    if (!(error instanceof Refused && error.code === 'ALREADY_EXISTS')) throw error;
    const other = `steps/${handIn.stepNumber}/${filename}`;
    handIn.note(`${quoteName(`fragments/${filename}`)} is uploaded as ${quoteName(other)}: the job has a file of this name already.`);
    await handInFile(handIn, other, file);
  }
}

async function handInFile(handIn: HandIn, filename: string, file: FileHandle): Promise<void> {
  const { client, signal } = handIn;
  for (let refusals = 0; ; refusals += 1) {
    const uploadUrl = await announce(handIn, filename, await digestFile(file, signal));
    // The gateway has its bytes: the answer to an earlier PUT was lost.
    if (uploadUrl === null) return;
    try {
      return await upload(client, uploadUrl, file, signal);
    } catch (error) {
      if (!(error instanceof RequestRefused) || refusals + 1 >= maxRefusals) throw error;
    }
  }
}

/**
 * The URL to PUT the file to, or null if the gateway has it. The idempotency key makes a repeated
 * announcement the same fragment.
 */
async function announce(handIn: HandIn, filename: string, digest: FileDigest): Promise<string | null> {
  const { jobId, stepNumber, leaseToken, attempt } = handIn;
  const input: CreateFragmentInput = {
    jobId,
    stepNumber,
    leaseToken,
    filename,
    type: typeOfFile(filename),
    ...digest,
    // A digest, because a key must be shorter than a filename may be.
    idempotencyKey: createHash('sha256').update(`${stepNumber}:${attempt}:${digest.sha256}:${filename}`).digest('hex'),
  };
  const { createFragment } = await requestUntilAnswered(handIn.client, CreateFragmentDocument, { input }, { signal: handIn.signal });
  const { fragment, uploadUrl } = unwrap(createFragment);
  if (fragment.status === 'READY') return null;
  if (!uploadUrl) throw new RequestRefused('BAD_REQUEST', 'the gateway gave no upload URL.');
  return uploadUrl;
}

async function upload(client: Requester, uploadUrl: string, file: FileHandle, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      return await uploadFile(client.target, uploadUrl, file, { signal });
    } catch (error) {
      signal.throwIfAborted();
      // The gateway was away for all tries of one upload. The step has time.
      if (!isTransient(error)) throw error;
    }
  }
}
