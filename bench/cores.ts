/** Server and load on different cores, so that neither is measured by how it makes room for the other. */
import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';

/** Whether processes can be tied to cores here: Linux, with `taskset`, and at least two of them. */
export const canPin = process.platform === 'linux' && availableParallelism() > 1 && spawnSync('taskset', ['-p', '1']).status === 0;

const SERVER_CORE = '0';
const LOAD_CORE = '1';

/** What to put before a server's command. */
export const onServerCore: readonly string[] = canPin ? ['taskset', '-c', SERVER_CORE] : [];

/** Lets a server that was started on the servers' core run on all of them. */
export function releaseCores(pid: number): void {
  if (canPin) spawnSync('taskset', ['-a', '-p', '-c', `0-${cpus().length - 1}`, String(pid)]);
}

/** Ties this process, which makes the load, to its core: all threads of it, those that Node has started already included. */
export function takeLoadCore(): void {
  if (canPin) spawnSync('taskset', ['-a', '-p', '-c', LOAD_CORE, String(process.pid)]);
}
