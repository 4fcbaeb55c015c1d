/** Pins server and load to different cores, so that neither takes time from the other. */
import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';

/** Whether processes can be pinned: Linux with `taskset` and at least two cores. */
export const canPin = process.platform === 'linux' && availableParallelism() > 1 && spawnSync('taskset', ['-p', '1']).status === 0;

const SERVER_CORE = '0';
const LOAD_CORE = '1';

/** The prefix of a server's command. */
export const onServerCore: readonly string[] = canPin ? ['taskset', '-c', SERVER_CORE] : [];

/** Lets a server that was pinned run on every core. */
export function releaseCores(pid: number): void {
  if (canPin) spawnSync('taskset', ['-a', '-p', '-c', `0-${cpus().length - 1}`, String(pid)]);
}

/** Pins this process, which makes the load, with all the threads that Node has started. */
export function takeLoadCore(): void {
  if (canPin) spawnSync('taskset', ['-a', '-p', '-c', LOAD_CORE, String(process.pid)]);
}

/** Pins a server that is running already, and what it starts from now on. */
export function pinToServerCore(pid: number): void {
  if (canPin) spawnSync('taskset', ['-a', '-p', '-c', SERVER_CORE, String(pid)]);
}
