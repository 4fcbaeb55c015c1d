/**
 * The agent that `up` runs beside its gateway, in its own process, so that a gateway that dies does
 * not take steps along.
 *
 * It gets a key for its device only, in the file of its folder where every agent keeps its device's
 * key. An agent that ends by itself is started again. An agent that a killed gateway left behind
 * keeps running with the steps that it holds. The next `up` takes it over, and later stops it like
 * its own. Whatever keeps an agent from running (its folder, its program, the disk) is reported and
 * retried; the gateway goes on without it.
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
import { entryPoint } from '../installation.ts';
import { keepDoing } from './background.ts';

/** From SIGTERM to SIGKILL for its steps. */
const STEP_GRACE_SECONDS = 4;
/** For the rest of the log and the report, to a gateway on this machine. */
const REPORT_SECONDS = 3;
/**
 * From SIGTERM to SIGKILL for itself: what it is told to grant its steps fits in it. The gateway's
 * own stop has what is left of the 15 s of P11.
 */
const AGENT_GRACE_MS = (handInSeconds(STEP_GRACE_SECONDS) + REPORT_SECONDS) * 1_000;
const LOOK_EVERY_MS = 250;

export interface LocalAgent {
  /** Makes it give back its steps, and waits until it has exited. */
  stop(): Promise<void>;
}

/** Manages the keys of this machine's device. */
export interface DeviceKeys {
  /** Whether it is valid now. */
  isGood(key: string): Promise<boolean>;
  /** Creates a key. Earlier ones end after a while. */
  renew(deviceName: string): Promise<string>;
}

export interface Isolation {
  /** Default: a different user for each step. */
  readonly user: string | undefined;
}

export interface LocalAgentOptions {
  readonly dataDir: string;
  readonly slots: number;
  /** Null: its steps may do what its user may. */
  readonly isolation: Isolation | null;
  readonly url: string;
  readonly keys: DeviceKeys;
  /** The gateway's environment. Its settings, including secrets, are not passed on. */
  readonly env: Environment;
  /** The umask of the agent: its user decides who may read the files that steps write. */
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

/**
 * Tries isolation in the agent's folder. Rejects with IsolationError if steps cannot be isolated:
 * who asked for isolation must not run without it.
 */
export async function requireIsolation(dataDir: string, { user }: Isolation): Promise<void> {
  const workDir = folderOf(dataDir);
  await makeAgentFolder(workDir);
  await isolate({ workDir, user });
}

/** Keeps an agent running until `stop`. */
function keep(options: LocalAgentOptions, stop: AbortSignal): Promise<void> {
  const workDir = folderOf(options.dataDir);
  const handOver = keyMaker(options, workDir);
  const work = async () => {
    await makeAgentFolder(workDir);
    const left = await readRecord(join(workDir, 'agent.json'));
    if (left !== null && (await isAlive(left))) await takeOver(left, await findFault(options, workDir, left), stop);
    if (stop.aborted) return;
    await handOver();
    // Check again: an agent started now would not notice the stop.
    if (stop.aborted) return;
    await runAgent(options, workDir, stop);
  };
  return keepDoing(work, { stop, onError: options.onError });
}

/**
 * Puts a key into the agent's folder: a new one at each start, and when one has ended. If that
 * fails, the key is kept for the next try.
 */
function keyMaker({ url, keys }: LocalAgentOptions, workDir: string): () => Promise<void> {
  const name = hostname();
  let made: string | null = null;
  return async () => {
    if (made === null || !(await keys.isGood(made))) made = await keys.renew(name);
    if ((await keptKey(workDir, url, name)) !== made) await keepKey(workDir, { url, name, apiKey: made });
  };
}

/** Resolves when it has ended. Rejects when it cannot be started. */
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

/** The arguments of `trainyard agent`. */
export function flagsOf({ url, slots, isolation }: Pick<LocalAgentOptions, 'url' | 'slots' | 'isolation'>, workDir: string): string[] {
  const flags = { url, slots, name: hostname(), 'work-dir': workDir, 'grace-seconds': STEP_GRACE_SECONDS };
  return [...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]), ...isolationFlags(isolation)];
}

const isolationFlags = (isolation: Isolation | null): string[] =>
  isolation === null ? [] : ['--isolate', ...(isolation.user === undefined ? [] : [`--isolate-user=${isolation.user}`])];

function spawnAgent(options: LocalAgentOptions, workDir: string): ChildProcess {
  const { env, umask } = options;
  const main = fileURLToPath(entryPoint('main'));
  // The child inherits it, so it is set for this call only.
  const own = process.umask(umask);
  try {
    return spawn(process.execPath, [main, 'agent', ...flagsOf(options, workDir)], {
      // Without a key: that is in the folder. TRAINYARD_DATA_DIR keeps the agent from finding the
      // operator's key in the gateway's data folder.
      env: { ...withoutSettings(env), TRAINYARD_DATA_DIR: workDir },
      // Not piped through this process: the pipe of a killed gateway would break and end the agent
      // as well.
      stdio: ['ignore', 'inherit', 'inherit'],
      // Its own group: Ctrl-C reaches only the gateway, which stops the agent while it can still
      // give back its steps.
      detached: true,
    });
  } finally {
    process.umask(own);
  }
}

/**
 * Lets an earlier gateway's agent run until this gateway stops, if it does what this one's would.
 * Otherwise ends it.
 */
async function takeOver(left: ProcessRecord, fault: string | null, stop: AbortSignal): Promise<void> {
  process.stderr.write(`An agent of an earlier start (process ${left.pid}) ${fault === null ? 'goes on' : `${fault} and is stopped`}.\n`);
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

/**
 * Why an agent of an earlier start must not go on: its key is not for this gateway, or its
 * isolation differs from what is wanted now.
 */
async function findFault({ url, keys, isolation }: LocalAgentOptions, workDir: string, { pid }: ProcessRecord): Promise<string | null> {
  const kept = await keptKey(workDir, url, hostname());
  if (kept === null || !(await keys.isGood(kept))) return 'serves another address';
  // Where a process does not show its command line, nothing can be isolated.
  const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
  const flags = words.filter((word) => word.startsWith('--isolate'));
  return flags.join(' ') === isolationFlags(isolation).join(' ') ? null : 'isolates its steps differently';
}

const withoutSettings = (env: Environment) => Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TRAINYARD_')));
