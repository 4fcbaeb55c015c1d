/**
 * The agent that `up` runs beside its gateway: a process of its own, so that a gateway that dies takes no step along.
 *
 * An agent that ends by itself is started again. One that a killed gateway left behind runs on, with the steps that it holds: the next `up`
 * takes it over, and stops it in the end like its own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isAlive, type ProcessRecord, readRecord } from './agent/orphans.ts';

/** From SIGTERM to SIGKILL for its steps, and then for itself: together with the gateway's own stop within the 15 s of P11. */
const STEP_GRACE_SECONDS = 4;
const AGENT_GRACE_MS = 8_000;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;
const LOOK_EVERY_MS = 250;

export interface LocalAgent {
  /** Has it give back what it holds, and waits until it has gone. */
  stop(): Promise<void>;
}

export interface LocalAgentOptions {
  readonly dataDir: string;
  readonly slots: number;
  readonly url: string;
  readonly token: string;
  /** The gateway's environment; its settings, secrets among them, are not handed on. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function startLocalAgent(options: LocalAgentOptions): LocalAgent {
  const workDir = resolve(join(options.dataDir, 'agent'));
  const stopping = new AbortController();
  const kept = keep(options, workDir, stopping.signal);
  return {
    stop() {
      stopping.abort();
      return kept;
    },
  };
}

/** Sees to it that an agent runs until it is to stop. */
async function keep(options: LocalAgentOptions, workDir: string, stop: AbortSignal): Promise<void> {
  mkdirSync(workDir, { recursive: true, mode: 0o700 });
  const left = await readRecord(join(workDir, 'agent.json'));
  if (left !== null && (await isAlive(left))) await takeOver(left, options.url === readUrl(workDir), stop);
  for (let delay = FIRST_RETRY_MS; !stop.aborted; delay = Math.min(delay * 2, LAST_RETRY_MS)) {
    const child = spawnAgent(options, workDir);
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()));
    const end = () => void endChild(child);
    stop.addEventListener('abort', end);
    await ended;
    stop.removeEventListener('abort', end);
    await pause(delay, undefined, { signal: stop }).catch(() => {});
  }
}

function spawnAgent({ slots, url, token, env }: LocalAgentOptions, workDir: string): ChildProcess {
  writeFileSync(urlFile(workDir), url, { mode: 0o600 });
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const flags = { url, slots, 'work-dir': workDir, 'grace-seconds': STEP_GRACE_SECONDS };
  const child = spawn(
    process.execPath,
    [main, 'agent', ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)])],
    {
      // The key by environment: an argument can be read by everyone on the machine.
      env: { ...withoutSettings(env), TRAINYARD_TOKEN: token },
      // Not through this process: a pipe to a gateway that was killed would break, and end the agent as well.
      stdio: ['ignore', 'inherit', 'inherit'],
      // A group of its own: Ctrl-C is for the gateway, which stops the agent while it still can give back what it holds.
      detached: true,
    },
  );
  child.on('error', (error) => process.stderr.write(`The agent cannot be started: ${error.message}\n`));
  return child;
}

async function endChild(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  await pause(AGENT_GRACE_MS, undefined, { ref: false });
  child.kill('SIGKILL');
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

const withoutSettings = (env: LocalAgentOptions['env']) =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TRAINYARD_')));

const urlFile = (workDir: string) => join(workDir, 'url');
function readUrl(workDir: string): string {
  try {
    return readFileSync(urlFile(workDir), 'utf8');
  } catch {
    return '';
  }
}
