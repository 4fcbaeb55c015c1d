import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ClaimedStepFieldsFragment } from '../../client/generated.ts';
import { attemptName } from '../../tunnel/protocol.ts';
import { formatSettings, type StepPaths } from '../process/environment.ts';
import { Directory } from './directory.ts';
import type { NamedFile } from './metrics-reader.ts';

/**
 * What an attempt has on disk. All of it is removed after the step.
 *
 *     <root>/process.json             its process, for the next agent if this one is killed
 *     <root>/environment              the environment of a step in a container
 *     <root>/outbox/                  reports not yet delivered
 *     <root>/work/                    the step's current directory; in a container /trainyard
 *     <root>/work/fragments/          files left here are uploaded
 *     <root>/work/.trainyard/         metrics.jsonl, settings.json and inputs/
 */
export interface StepFolder {
  readonly root: string;
  readonly work: string;
  readonly record: string;
  readonly outbox: string;
  /** Exists while the attempt has, or may have, a container. */
  readonly containerEnvironment: string;
  /**
   * Paths that are passed to a process step, which may put anything there. The agent itself opens
   * these files through directory.ts only.
   */
  readonly paths: StepPaths;
}

/** Where a container sees the work folder. */
export const containerWorkFolder = '/trainyard';

/** The files below the work folder whose paths a step is given. */
export function placeFiles(work: string): StepPaths {
  return {
    metrics: join(work, '.trainyard', 'metrics.jsonl'),
    fragments: join(work, 'fragments'),
    settings: join(work, '.trainyard', 'settings.json'),
    inputs: join(work, '.trainyard', 'inputs'),
  };
}

/**
 * The variable that marks an attempt's processes: no other program on this machine was given this
 * folder.
 */
export const markOf = ({ paths }: Pick<StepFolder, 'paths'>) => `TRAINYARD_FRAGMENTS=${paths.fragments}`;

/** An attempt's metrics file, opened safely. */
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

/** The folder of all attempts of an agent. */
export function stepsFolder(workDir: string): string {
  return join(workDir, 'steps');
}

/** The container of an attempt, whose name is its folder's. */
export const containerNameOf = (attempt: string): string => `trainyard-${attempt}`;

/** `root` is the attempt's folder. */
export const environmentFile = (root: string): string => join(root, 'environment');

/**
 * Creates an attempt's folder with the files that its step finds there. Rejects if something exists
 * there already.
 */
export async function createStepFolder(workDir: string, step: ClaimedStepFieldsFragment, attempt: number): Promise<StepFolder> {
  // For the agent's user only: the content belongs to somebody's job.
  await mkdir(stepsFolder(workDir), { recursive: true, mode: 0o700 });
  const root = join(stepsFolder(workDir), attemptName(step.id, attempt));
  const work = join(root, 'work');
  const paths = placeFiles(work);
  // One by one, each new: a step that ran here before may have put links there.
  for (const folder of [root, work, join(work, '.trainyard'), paths.fragments, paths.inputs]) await mkdir(folder, { mode: 0o700 });
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

/** Removes the folder. Resolves with false if files of a container's root have to stay. */
export function removeStepFolder(folder: StepFolder): Promise<boolean> {
  return removeAttempt(dirname(folder.root), basename(folder.root));
}

/** Removes an attempt's folder by its name. */
export async function removeAttempt(stepsFolder: string, name: string): Promise<boolean> {
  const steps = await Directory.open(stepsFolder).catch(() => null);
  if (steps === null) return false;
  try {
    return await steps.remove(name);
  } finally {
    await steps.close();
  }
}
