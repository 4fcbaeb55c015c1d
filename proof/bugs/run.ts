/** Runs the source with a bug in it, or as it is, through the run in which the bug shows; the checker says what it finds. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Chapter, runChapter } from '../chapter.ts';
import type { WorldOptions } from '../world.ts';
import { type Bug, type RunName, runs } from './bugs.ts';
import { copyWithBug } from './copy.ts';

export type BugRun = Pick<WorldOptions, 'folder' | 'databaseUrl' | 'seed' | 'onSpawn'>;

export function runBug(bug: Bug, { folder, ...rest }: BugRun): Promise<Chapter> {
  const source = join(folder, 'source');
  copyWithBug(source, bug);
  const world = join(folder, 'world');
  mkdirSync(world);
  return runChapter({ ...runs[bug.run], ...rest, folder: world, gateway: { source } });
}

/** The source as it is, in the same run. */
export function runSound(run: RunName, where: BugRun): Promise<Chapter> {
  return runChapter({ ...runs[run], ...where });
}
