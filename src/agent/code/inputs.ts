import { chmod, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RequestRefused } from '../../client/errors.ts';
import { type ClaimedStepFieldsFragment, type FragmentFieldsFragment, JobFragmentsDocument } from '../../client/generated.ts';
import { quoteName } from '../../text/acceptable.ts';
import { problemOfPath } from '../../text/archive-paths.ts';
import { CannotRunError } from '../process/running.ts';
import { requestUntilAnswered } from '../retrying.ts';
import { fetchFile } from './download.ts';
import type { Providing } from './provide.ts';

/**
 * Puts the files of earlier steps that a step asks for into its folder of inputs, as
 * STEP/FILENAME. Call it before the step runs. Waits while the gateway is away. Rejects with
 * CannotRunError if a file is missing.
 */
export async function provideInputs(providing: Providing): Promise<void> {
  for (const source of providing.step.inputs) await provideInput(providing, source);
}

type Source = ClaimedStepFieldsFragment['inputs'][number];

async function provideInput({ client, step, folder, signal }: Providing, source: Source): Promise<void> {
  const refusal = (why: string) =>
    new CannotRunError('DEVICE_REPORTED', `The input ${quoteName(source.filename)} of step ${source.stepNumber} ${why}.`);
  const problem = problemOfPath(`${source.stepNumber}/${source.filename}`);
  if (problem !== null) throw refusal(problem);
  // A name that the job had already was given to the file of another step (reporting/fragments.ts).
  const names = [source.filename, `steps/${source.stepNumber}/${source.filename}`];
  let file: FragmentFieldsFragment | null = null;
  for (const filename of names) {
    const filter = { stepNumber: source.stepNumber, filename, statuses: ['READY' as const] };
    const variables = { jobId: step.job.id, filter, first: 1, after: null };
    const { job } = await requestUntilAnswered(client, JobFragmentsDocument, variables, { signal });
    file ??= job?.fragments.edges[0]?.node ?? null;
  }
  if (file === null) throw refusal('is missing: that step has left no such file');
  const path = join(folder.paths.inputs, String(source.stepNumber), source.filename);
  // Nothing but this agent has written to the folder yet.
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  try {
    await fetchFile(client, file, { path, sha256: file.sha256, signal });
  } catch (error) {
    throw error instanceof RequestRefused ? refusal(`could not be fetched: ${error.message}`) : error;
  }
  await chmod(path, 0o644);
}
