import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { listProcesses } from './processes.ts';

const run = promisify(execFile);

/** An init waits for others at once. A busy machine may take a moment. */
const waitMilliseconds = 2_000;
const lookMilliseconds = 20;

/**
 * A warning for the operator if an orphaned process stays a zombie here, else null. Tries it with
 * one.
 */
export async function describeZombies(): Promise<string | null> {
  if (process.platform !== 'linux') return null;
  const { stdout } = await run('/bin/sh', ['-c', 'sleep 0 >/dev/null 2>&1 & echo $!']);
  const pid = Number(stdout);
  let zombieSince: number | null = null;
  for (;;) {
    const row = (await listProcesses()).find((each) => each.pid === pid);
    if (row === undefined) return null;
    if (row.isZombie) zombieSince ??= performance.now();
    if (zombieSince !== null && performance.now() - zombieSince > waitMilliseconds) return describe(row.parent);
    await delay(lookMilliseconds);
  }
}

const describe = (parent: number) =>
  `Process ${parent} does not wait for orphans: each process that a step leaves stays a zombie. In a container, use an init (docker run --init).`;
