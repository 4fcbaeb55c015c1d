/**
 * The agent that `up` runs beside its gateway: a process of its own, so that a gateway that dies takes no step along.
 *
 * It is handed a key of its device alone, in the file of its folder where every agent keeps the key of its device. An agent that ends by itself is
 * started again. One that a killed gateway left behind runs on, with the steps that it holds: the next `up` takes it over, and stops it in the end like
 * its own. Whatever keeps an agent from running (its folder, its program, the disk) is said, and tried again: the gateway goes on without it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { keepKey, keptKey, makeAgentFolder } from './agent/device.ts';
import { isAlive, type ProcessRecord, readRecord } from './agent/orphans.ts';
import { keepDoing } from './background.ts';
import type { Environment } from './initial-memory.ts';

/** From SIGTERM to SIGKILL for its steps, and then for itself: together with the gateway's own stop within the 15 s of P11. */
const STEP_GRACE_SECONDS = 4;
const AGENT_GRACE_MS = 8_000;
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

export interface LocalAgentOptions {
  readonly dataDir: string;
  readonly slots: number;
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

/** Sees to it that an agent runs until it is to stop. */
function keep(options: LocalAgentOptions, stop: AbortSignal): Promise<void> {
  const workDir = resolve(join(options.dataDir, 'agent'));
  const handOver = keyMaker(options, workDir);
  const work = async () => {
    await makeAgentFolder(workDir);
    const left = await readRecord(join(workDir, 'agent.json'));
    if (left !== null && (await isAlive(left))) await takeOver(left, await isForHere(options, workDir), stop);
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

function spawnAgent({ slots, url, env, umask }: LocalAgentOptions, workDir: string): ChildProcess {
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const flags = { url, slots, name: hostname(), 'work-dir': workDir, 'grace-seconds': STEP_GRACE_SECONDS };
  // Inherited, and set for this call alone.
  const own = process.umask(umask);
  try {
    return spawn(process.execPath, [main, 'agent', ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)])], {
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

/** Lets the agent of a gateway before this one run on as long as it serves the same address; ends it when this gateway stops. */
async function takeOver(left: ProcessRecord, isForHere: boolean, stop: AbortSignal): Promise<void> {
  process.stderr.write(
    `An agent of an earlier start (process ${left.pid}) ${isForHere ? 'runs on' : 'serves another address, and is ended'}.\n`,
  );
  let endedAt = isForHere ? null : end(left);
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

/** Whether the agent's key is for this gateway, by its address and by the gateway itself. */
async function isForHere({ url, keys }: LocalAgentOptions, workDir: string): Promise<boolean> {
  const kept = await keptKey(workDir, url, hostname());
  return kept !== null && (await keys.isGood(kept));
}

const withoutSettings = (env: Environment) => Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TRAINYARD_')));
