/**
 * Runs the source, with or without a bug, in the run in which the bug shows, and lets the checker
 * judge it.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Chapter, runChapter } from '../chapter.ts';
import type { KillOptions } from '../kills.ts';
import { runPowerLoss } from '../power.ts';
import type { WorldOptions } from '../world.ts';
import { type Bug, type RunName, runs } from './bugs.ts';
import { copyWithBug } from './copy.ts';

export type BugRun = Pick<WorldOptions, 'folder' | 'databaseUrl' | 'seed' | 'onSpawn'>;

const POWER_MS = 6_000;
/** A step that a bug blocks never ends, so the wait for it is short. */
const STUCK_AFTER_MS = 8_000;

export function runBug(bug: Bug, { folder, ...rest }: BugRun): Promise<Chapter> {
  const source = join(folder, 'source');
  copyWithBug(source, bug);
  execFileSync(process.execPath, ['scripts/build.ts'], { cwd: source });
  const world = join(folder, 'world');
  mkdirSync(world);
  return run(bug.run, { ...rest, folder: world, gateway: { source }, drainMs: STUCK_AFTER_MS });
}

/** A busy machine can hide a bug that shows in timings. Three runs are enough to see it. */
const MOST_TRIES = 3;

/** Runs a bug until the checker names the promise that it breaks. Returns the last run. */
export async function findBug(bug: Bug, open: () => Promise<BugRun>): Promise<Chapter> {
  for (let tries = 1; ; tries++) {
    const where = await open();
    const chapter = await runBug(bug, { ...where, seed: `${where.seed}-${tries}` });
    if (tries === MOST_TRIES || chapter.findings.some(({ promise }) => promise === bug.breaks)) return chapter;
  }
}

/** The unchanged source in the same run. */
export const runSound = (name: RunName, where: BugRun): Promise<Chapter> => run(name, where);

function run(name: RunName, world: WorldOptions & Pick<KillOptions, 'drainMs'>): Promise<Chapter> {
  return name === 'power' ? runPowerLoss({ ...world, workMs: POWER_MS }) : runChapter({ ...runs[name], ...world });
}
