/**
 * The agent that `up` runs beside its gateway: a process of its own, so that a gateway that dies takes no step along.
 *
 * It is handed a key of its device alone, in the file of its folder where every agent keeps the key of its device. An agent that ends by itself is
 * started again. One that a killed gateway left behind runs on, with the steps that it holds: the next `up` takes it over, and stops it in the end like
 * its own. Whatever keeps an agent from running (its folder, its program, the disk) is said, and tried again: the gateway goes on without it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isAlive, type ProcessRecord, readRecord } from '../agent/attempt/orphans.ts';
import { keepKey, keptKey, makeAgentFolder } from '../agent/device.ts';
import { isolate } from '../agent/process/isolation.ts';
import { handInSeconds } from '../agent/process/time-limits.ts';
import type { Environment } from '../initial-memory.ts';
import { keepDoing } from './background.ts';

/** From SIGTERM to SIGKILL for its steps. */
const STEP_GRACE_SECONDS = 4;
/** For what the log still has to say and the report, to a gateway on this machine. */
const REPORT_SECONDS = 3;
/** From SIGTERM to SIGKILL for itself: what it is told to grant its steps fits in it. The gateway's own stop has what is left of the 15 s of P11. */
const AGENT_GRACE_MS = (handInSeconds(STEP_GRACE_SECONDS) + REPORT_SECONDS) * 1_000;
const LOOK_EVERY_MS = 250;

export interface LocalAgent {
  /** Has it give back what it holds, and waits until it has gone. */
  stop(): Promise<void>;
}

/** Hands out keys of the device that this machine is. */
export interface DeviceKeys {
  /** Whether it is good now. */
  isGood(key: string): Promise<boolean>;
  /** Makes one; those that there were end after a while. */
  renew(deviceName: string): Promise<string>;
}

export interface Isolation {
  /** Default: each step as another one. */
  readonly user: string | undefined;
}

export interface LocalAgentOptions {
  readonly dataDir: string;
  readonly slots: number;
  /** Null: its steps may do what its user may. */
  readonly isolation: Isolation | null;
  readonly url: string;
  readonly keys: DeviceKeys;
  /** The gateway's environment; its settings, secrets among them, are not handed on. */
  readonly env: Environment;
  /** How the program runs that is to start: the files that its steps write are for whoever its user lets read them. */
  readonly umask: number;
  readonly onError: (error: unknown) => void;
}

export function startLocalAgent(options: LocalAgentOptions): LocalAgent {
  const stopping = new AbortController();
  const kept = keep(options, stopping.signal);
  return {
    stop() {
      stopping.abort();
      return kept;
    },
  };
}

const folderOf = (dataDir: string) => resolve(join(dataDir, 'agent'));

/** Tries in the agent's folder what the agent will do. Rejects with IsolationError where steps cannot be isolated: whoever asked for it must not run without. */
export async function requireIsolation(dataDir: string, { user }: Isolation): Promise<void> {
  const workDir = folderOf(dataDir);
  await makeAgentFolder(workDir);
  await isolate({ workDir, user });
}

/** Sees to it that an agent runs until it is to stop. */
function keep(options: LocalAgentOptions, stop: AbortSignal): Promise<void> {
  const workDir = folderOf(options.dataDir);
  const handOver = keyMaker(options, workDir);
  const work = async () => {
    await makeAgentFolder(workDir);
    const left = await readRecord(join(workDir, 'agent.json'));
    if (left !== null && (await isAlive(left))) await takeOver(left, await findFault(options, workDir, left), stop);
    if (stop.aborted) return;
    await handOver();
    // Told to stop while it was: an agent that is started now would hear of no stop.
    if (stop.aborted) return;
    await runAgent(options, workDir, stop);
  };
  return keepDoing(work, { stop, onError: options.onError });
}

/** Leaves a key in the agent's folder: a new one at each start, and in place of one that has ended. One that could not be left there is kept for the next try. */
function keyMaker({ url, keys }: LocalAgentOptions, workDir: string): () => Promise<void> {
  const name = hostname();
  let made: string | null = null;
  return async () => {
    if (made === null || !(await keys.isGood(made))) made = await keys.renew(name);
    if ((await keptKey(workDir, url, name)) !== made) await keepKey(workDir, { url, name, apiKey: made });
  };
}

/** Resolves when it has ended; rejects when it cannot be started. */
async function runAgent(options: LocalAgentOptions, workDir: string, stop: AbortSignal): Promise<void> {
  const child = spawnAgent(options, workDir);
  const ended = new Promise<void>((resolve, reject) => child.once('exit', () => resolve()).once('error', reject));
  let killer: NodeJS.Timeout | undefined;
  const end = () => {
    child.kill('SIGTERM');
    killer = setTimeout(() => child.kill('SIGKILL'), AGENT_GRACE_MS);
  };
  stop.addEventListener('abort', end);
  try {
    await ended;
  } finally {
    stop.removeEventListener('abort', end);
    clearTimeout(killer);
  }
}

/** What follows `trainyard agent`. */
export function flagsOf({ url, slots, isolation }: Pick<LocalAgentOptions, 'url' | 'slots' | 'isolation'>, workDir: string): string[] {
  const flags = { url, slots, name: hostname(), 'work-dir': workDir, 'grace-seconds': STEP_GRACE_SECONDS };
  return [...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]), ...isolationFlags(isolation)];
}

const isolationFlags = (isolation: Isolation | null): string[] =>
  isolation === null ? [] : ['--isolate', ...(isolation.user === undefined ? [] : [`--isolate-user=${isolation.user}`])];

function spawnAgent(options: LocalAgentOptions, workDir: string): ChildProcess {
  const { env, umask } = options;
  const main = fileURLToPath(new URL('../main.ts', import.meta.url));
  // Inherited, and set for this call alone.
  const own = process.umask(umask);
  try {
    return spawn(process.execPath, [main, 'agent', ...flagsOf(options, workDir)], {
      // No key: it is in the folder. Nor is the operator's looked for, which is kept in the gateway's data folder.
      env: { ...withoutSettings(env), TRAINYARD_DATA_DIR: workDir },
      // Not through this process: a pipe to a gateway that was killed would break, and end the agent as well.
      stdio: ['ignore', 'inherit', 'inherit'],
      // A group of its own: Ctrl-C is for the gateway, which stops the agent while it still can give back what it holds.
      detached: true,
    });
  } finally {
    process.umask(own);
  }
}

/** Lets the agent of a gateway before this one run on where it does what this one's would, and ends it when this gateway stops; ends one that has a fault. */
async function takeOver(left: ProcessRecord, fault: string | null, stop: AbortSignal): Promise<void> {
  process.stderr.write(`An agent of an earlier start (process ${left.pid}) ${fault === null ? 'runs on' : `${fault}, and is ended`}.\n`);
  let endedAt = fault === null ? null : end(left);
  while (await isAlive(left)) {
    if (endedAt === null && stop.aborted) endedAt = end(left);
    if (endedAt !== null && performance.now() - endedAt > AGENT_GRACE_MS) process.kill(left.pid, 'SIGKILL');
    await pause(LOOK_EVERY_MS);
  }
}

function end({ pid }: ProcessRecord): number {
  process.kill(pid, 'SIGTERM');
  return performance.now();
}

/** Why an agent of an earlier start is not to run on: its key is not for this gateway, or it does not isolate its steps as is wanted now. */
async function findFault({ url, keys, isolation }: LocalAgentOptions, workDir: string, { pid }: ProcessRecord): Promise<string | null> {
  const kept = await keptKey(workDir, url, hostname());
  if (kept === null || !(await keys.isGood(kept))) return 'serves another address';
  // Where a process does not show what it was started with, nothing can be isolated.
  const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
  const flags = words.filter((word) => word.startsWith('--isolate'));
  return flags.join(' ') === isolationFlags(isolation).join(' ') ? null : 'isolates its steps otherwise';
}

const withoutSettings = (env: Environment) => Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TRAINYARD_')));
