import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RequestRefused } from '../../client/errors.ts';
import type { ClaimedStepFieldsFragment } from '../../client/generated.ts';
import type { Requester } from '../../client/request.ts';
import type { StepFolder } from '../files/folder.ts';
import { CannotRunError } from '../process/running.ts';
import { BadArchive, unpack } from './archive.ts';
import { cloneCode } from './clone.ts';
import { fetchFile } from './download.ts';

export interface Providing {
  readonly client: Requester;
  readonly step: ClaimedStepFieldsFragment;
  readonly folder: StepFolder;
  /** From which git may clone. Default: those of other machines. */
  readonly gitProtocols: readonly string[] | undefined;
  /** Called with the commit that was cloned. */
  readonly onCommit: (commit: string) => void;
  /** Aborted when the step has to stop. */
  readonly signal: AbortSignal;
}

/**
 * Puts the code of a step's job into its working folder. Call it before the step runs, when nothing
 * else writes to that folder. Waits while the gateway is away. Rejects with CannotRunError if the
 * code cannot be had.
 */
export async function provideCode(providing: Providing): Promise<void> {
  const { client, step, folder, signal } = providing;
  const { code } = step.job;
  if (code === null) return;
  const { archive, sha256, git } = code;
  if (sha256 === null && git !== null) {
    providing.onCommit(await cloneCode(providing, step.job.project.gitRepository, git));
    return;
  }
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
