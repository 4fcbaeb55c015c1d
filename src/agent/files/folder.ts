import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ClaimedStepFieldsFragment } from '../../client/generated.ts';
import { formatSettings, type StepPaths } from '../process/environment.ts';
import { Directory } from './directory.ts';
import type { NamedFile } from './metrics-reader.ts';

/**
 * What an attempt has on disk, all of it gone after the step:
 *
 *     <root>/process.json             which process it is, for an agent that starts after this one was killed
 *     <root>/environment              of a step in a container, the variables that it gets
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
  /** There while the attempt has a container, or may have one. */
  readonly containerEnvironment: string;
  /** As the agent sees them: for the step, which may put anything there. The agent itself opens nothing by these, but through directory.ts. */
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

/** The metrics file of an attempt, as the agent gets at it. */
export function metricsFile(work: Directory): NamedFile {
  const inItsFolder = async <Found>(use: (folder: Directory) => Promise<Found | null>) => {
    const folder = await work.directory('.trainyard');
    try {
      return folder && (await use(folder));
    } finally {
      await folder?.close();
    }
  };
  return {
    look: () => inItsFolder((folder) => folder.look('metrics.jsonl')),
    open: () => inItsFolder((folder) => folder.file('metrics.jsonl')),
  };
}

/** The folder that holds the folders of all attempts of an agent. */
export function stepsFolder(workDir: string): string {
  return join(workDir, 'steps');
}

/** What an attempt is called on its device: its folder, and with `trainyard-` before it its container. */
export const attemptName = ({ id }: Pick<ClaimedStepFieldsFragment, 'id'>, attempt: number): string => `${id}-${attempt}`;
export const containerNameOf = (attempt: string): string => `trainyard-${attempt}`;

/** Of the folder of an attempt. */
export const environmentFile = (root: string): string => join(root, 'environment');

/** Makes the folder of one attempt, with the files that its step finds there. Rejects where something is there already. */
export async function createStepFolder(workDir: string, step: ClaimedStepFieldsFragment, attempt: number): Promise<StepFolder> {
  // Only the agent's user: what is here belongs to somebody's job.
  await mkdir(stepsFolder(workDir), { recursive: true, mode: 0o700 });
  const root = join(stepsFolder(workDir), attemptName(step, attempt));
  const work = join(root, 'work');
  const paths = placeFiles(work);
  // One after the other, each new: a step that ran here before may have put links there.
  for (const folder of [root, work, join(work, '.trainyard'), paths.fragments]) await mkdir(folder, { mode: 0o700 });
  await writeFile(paths.metrics, '', { flag: 'wx', mode: 0o600 });
  await writeFile(paths.settings, formatSettings(step.job), { flag: 'wx', mode: 0o600 });
  return {
    root,
    work,
    record: join(root, 'process.json'),
    outbox: join(root, 'outbox'),
    containerEnvironment: environmentFile(root),
    paths,
  };
}

/** Takes the folder away. What a container's root left there may have to stay; then `false`. */
export function removeStepFolder(folder: StepFolder): Promise<boolean> {
  return removeAttempt(dirname(folder.root), basename(folder.root));
}

/** Takes the folder of one attempt away, by its name. */
export async function removeAttempt(stepsFolder: string, name: string): Promise<boolean> {
  const steps = await Directory.open(stepsFolder).catch(() => null);
  if (steps === null) return false;
  try {
    return await steps.remove(name);
  } finally {
    await steps.close();
  }
}
