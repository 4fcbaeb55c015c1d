import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RequestRefused } from '../../client/errors.ts';
import { type ClaimedStepFieldsFragment, FragmentDocument } from '../../client/generated.ts';
import { downloadFile } from '../../client/node/files.ts';
import type { Requester } from '../../client/request.ts';
import type { StepFolder } from '../files/folder.ts';
import { CannotRunError } from '../process/running.ts';
import { BadArchive, unpack } from './archive.ts';

interface Providing {
  readonly client: Requester;
  readonly step: ClaimedStepFieldsFragment;
  readonly folder: StepFolder;
  /** Aborted when the step has to stop. */
  readonly signal: AbortSignal;
}

/**
 * Puts the code of a step's job into its working folder. Call it before the step runs, when nothing
 * else writes to that folder. Waits while the gateway is away. Rejects with CannotRunError if the
 * code cannot be had.
 */
export async function provideCode({ client, step, folder, signal }: Providing): Promise<void> {
  const { code } = step.job;
  if (code === null) return;
  const { archive, sha256 } = code;
  if (archive === null) throw refusal('its archive was deleted, or this device may not read it.');
  // Beside the work folder, so that the step does not find it there.
  const path = join(folder.root, 'code.tar');
  try {
    await fetchFile(client, archive, { path, sha256, signal });
    const file = await open(path);
    try {
      await unpack(file, folder.work, signal);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof BadArchive) throw refusal(`the archive is refused. ${error.message}`);
    if (error instanceof RequestRefused) throw refusal(`the gateway refused its archive: ${error.message}`);
    throw error;
  } finally {
    await rm(path, { force: true });
  }
}

const refusal = (why: string) => new CannotRunError('DEVICE_REPORTED', `The code of the job could not be unpacked: ${why}`);

/** Downloads a file of the gateway, however long the gateway is away. */
function fetchFile(
  client: Requester,
  { id, downloadUrl }: { readonly id: string; readonly downloadUrl: string | null },
  { path, sha256, signal }: { path: string; sha256: string | null; signal: AbortSignal },
): Promise<void> {
  let url = downloadUrl;
  // A signed URL expires, so each try after the first requests another.
  const nextUrl = async () => {
    const known = url ?? (await client.request(FragmentDocument, { id }, { signal })).fragment?.downloadUrl;
    url = null;
    if (known) return known;
    throw new RequestRefused('NOT_FOUND', 'the file was deleted.');
  };
  return downloadFile(client.target, nextUrl, { path, sha256, signal, attempts: Number.POSITIVE_INFINITY });
}
