import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { RequestRefused, unwrap } from '../client/errors.ts';
import type { Client } from '../client/fetch.ts';
import { digestFile, type FileDigest, uploadFile } from '../client/files.ts';
import { CreateFragmentDocument, type CreateFragmentInput, type FragmentType } from '../client/generated.ts';
import { askUntilAnswered, isPassing } from './asking.ts';

export interface HandIn {
  readonly client: Client;
  /** The attempt's fragments folder. */
  readonly folder: string;
  readonly jobId: string;
  readonly stepNumber: number;
  readonly leaseToken: string;
  readonly attempt: number;
  /** A line for the step's log. */
  readonly note: (line: string) => void;
  /** Gives up when it is aborted. */
  readonly signal: AbortSignal;
}

/** How often the bytes of one file are sent when the gateway refuses them (a hash that does not fit, a URL that expired). */
const maxRefusals = 3;

/**
 * Uploads the files that a step left, one after the other by name, each streamed from disk, each again until the gateway has it. Only plain files at the top of the folder, no
 * hidden ones: a fragment's filename is a name, and a link could lead a container's step to the device's own files.
 * Answers what could not be handed in, a sentence each. Rejects with the signal's reason when that is aborted.
 */
export async function handInFragments(handIn: HandIn): Promise<string[]> {
  const problems: string[] = [];
  const entries = await readdir(handIn.folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue;
    if (!entry.isFile()) {
      handIn.note(`fragments/${entry.name} is not a file: it is not handed in.`);
      continue;
    }
    try {
      await handInFile(handIn, entry.name);
    } catch (error) {
      handIn.signal.throwIfAborted();
      const message = error instanceof Error ? error.message : String(error);
      problems.push(`fragments/${entry.name} could not be handed in: ${message}`);
    }
  }
  return problems;
}

/** What a file is, by its name. */
export function typeOfFile(filename: string): FragmentType {
  const name = filename.toLowerCase();
  if (name.endsWith('.safetensors')) return 'MODEL';
  if (name.endsWith('.log')) return 'BUILD_LOGS';
  return /^metrics.*\.(jsonl|csv)$/.test(name) ? 'METRICS' : 'DATA';
}

const contentTypes: Readonly<Record<string, string>> = {
  '.csv': 'text/csv',
  '.html': 'text/html',
  '.json': 'application/json',
  '.jsonl': 'application/jsonl',
  '.log': 'text/plain',
  '.md': 'text/markdown',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain',
};

async function handInFile(handIn: HandIn, filename: string): Promise<void> {
  const { client, folder, signal } = handIn;
  const path = join(folder, filename);
  const digest = await digestFile(path, signal);
  for (let refusals = 0; ; refusals += 1) {
    const uploadUrl = await announce(handIn, filename, digest);
    // Its bytes are there already: the answer to an earlier PUT was lost.
    if (uploadUrl === null) return;
    try {
      return await upload(client, uploadUrl, path, signal);
    } catch (error) {
      if (!(error instanceof RequestRefused) || refusals + 1 >= maxRefusals) throw error;
    }
  }
}

/** Where to PUT the file, or null when the gateway has it. The idempotency key makes a repeated announcement the same fragment. */
async function announce(handIn: HandIn, filename: string, digest: FileDigest): Promise<string | null> {
  const { jobId, stepNumber, leaseToken, attempt } = handIn;
  const input: CreateFragmentInput = {
    jobId,
    stepNumber,
    leaseToken,
    filename,
    type: typeOfFile(filename),
    contentType: contentTypes[extname(filename).toLowerCase()] ?? 'application/octet-stream',
    ...digest,
    // A digest, because a key may be shorter than a filename.
    idempotencyKey: createHash('sha256').update(`${stepNumber}:${attempt}:${digest.sha256}:${filename}`).digest('hex'),
  };
  const { createFragment } = await askUntilAnswered(handIn.client, CreateFragmentDocument, { input }, { signal: handIn.signal });
  const { fragment, uploadUrl } = unwrap(createFragment);
  if (fragment.status === 'READY') return null;
  if (!uploadUrl) throw new RequestRefused('BAD_REQUEST', 'the gateway gave no place to upload it to.');
  return uploadUrl;
}

async function upload(client: Client, uploadUrl: string, path: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      return await uploadFile(client.target, uploadUrl, path, { signal });
    } catch (error) {
      signal.throwIfAborted();
      // The gateway was away for all the attempts of one upload; the step has time.
      if (!isPassing(error)) throw error;
    }
  }
}
