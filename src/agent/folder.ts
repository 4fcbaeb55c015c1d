import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClaimedStepFieldsFragment } from '../client/generated.ts';
import { formatSettings, type StepPaths } from './environment.ts';

/**
 * What an attempt has on disk, all of it gone after the step:
 *
 *     <root>/process.json             which process it is, for an agent that starts after this one was killed
 *     <root>/outbox/                  what is not delivered yet
 *     <root>/work/                    the step's current directory; in a container /trainyard
 *     <root>/work/fragments/          what it leaves here is handed in
 *     <root>/work/.trainyard/         metrics.jsonl and settings.json
 */
export interface StepFolder {
  readonly root: string;
  readonly work: string;
  readonly record: string;
  readonly outbox: string;
  /** As the agent sees them. */
  readonly paths: StepPaths;
}

/** Where a container sees the work folder. */
export const containerWorkFolder = '/trainyard';

/** The files that a step is told of, below its work folder. */
export function placeFiles(work: string): StepPaths {
  return {
    metrics: join(work, '.trainyard', 'metrics.jsonl'),
    fragments: join(work, 'fragments'),
    settings: join(work, '.trainyard', 'settings.json'),
  };
}

/** The variable by which what an attempt has started is known: no other program of this machine was given that folder. */
export const markOf = ({ paths }: Pick<StepFolder, 'paths'>) => `TRAINYARD_FRAGMENTS=${paths.fragments}`;

/** The folder that holds the folders of all attempts of an agent. */
export function stepsFolder(workDir: string): string {
  return join(workDir, 'steps');
}

/** Makes the folder of one attempt, with the files that its step finds there. */
export async function createStepFolder(workDir: string, step: ClaimedStepFieldsFragment, attempt: number): Promise<StepFolder> {
  const root = join(stepsFolder(workDir), `${step.id}-${attempt}`);
  const work = join(root, 'work');
  const paths = placeFiles(work);
  // Only the agent's user: what is here belongs to somebody's job.
  await mkdir(join(work, '.trainyard'), { recursive: true, mode: 0o700 });
  await mkdir(paths.fragments);
  await writeFile(paths.metrics, '');
  await writeFile(paths.settings, formatSettings(step.job), { mode: 0o600 });
  return { root, work, record: join(root, 'process.json'), outbox: join(root, 'outbox'), paths };
}

/** Takes the folder away. What a container's root left there may have to stay; then `false`. */
export async function removeStepFolder(folder: StepFolder): Promise<boolean> {
  const options = { recursive: true, force: true, maxRetries: 3, retryDelay: 100 };
  return rm(folder.root, options).then(
    () => true,
    () => false,
  );
}
