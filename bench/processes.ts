/** The measured servers. Each is a process pinned to the servers' core. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { onServerCore } from './cores.ts';

export const root = fileURLToPath(new URL('..', import.meta.url));
const START_WITHIN_MS = 30_000;
/** Linux counts processor time in hundredths of a second. */
const TICKS_PER_SECOND = 100;

export interface Server {
  readonly port: number;
  readonly pid: number;
  /**
   * Processor seconds since it started, all threads together. NaN where the system does not tell.
   */
  cpuSeconds(): number;
  /** Sends a message to the process, if it `isAsked`, and resolves to its next one. */
  ask(message: string): Promise<unknown>;
  /** Asks the process to end and waits until it has. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface ServerOptions {
  /** Flags of Node itself, such as `--cpu-prof`. */
  readonly nodeFlags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it takes messages. */
  readonly isAsked?: boolean;
}

/** Starts `node FILE ARGS…` and waits for its address. Throws with its output if it ends first. */
export async function startServer(
  file: string,
  args: readonly string[],
  { nodeFlags = [], env = {}, isAsked = false }: ServerOptions = {},
): Promise<Server> {
  const [program = '', ...rest] = [...onServerCore, process.execPath, ...nodeFlags, file, ...args];
  const child = spawn(program, rest, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', isAsked ? 'ipc' : 'ignore'],
  });
  running.add(child);
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      running.delete(child);
      resolve();
    });
  });
  let output = '';
  const port = await new Promise<number>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`${file} ${why}:\n${output}`));
    const timer = setTimeout(() => fail('printed no address'), START_WITHIN_MS);
    const keep = (part: Buffer) => {
      output += String(part);
      const found = /http:\/\/127\.0\.0\.1:(\d+)\b/.exec(output)?.[1];
      if (found) resolve(Number(found));
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    void ended.then(() => fail('ended'));
    void ended.finally(() => clearTimeout(timer));
  });
  return {
    port,
    pid: child.pid ?? -1,
    cpuSeconds: () => cpuSecondsOf(child.pid),
    async ask(message) {
      child.send(message);
      const [answer] = await once(child, 'message');
      return answer;
    },
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

export function cpuSecondsOf(pid: number | undefined): number {
  if (process.platform !== 'linux') return Number.NaN;
  const { own } = timesOf(pid ?? -1);
  return own / TICKS_PER_SECOND;
}

/** The same for a process with its children, those that have ended included. */
export function cpuSecondsOfAll(pid: number): number {
  if (process.platform !== 'linux') return Number.NaN;
  const { own, ended } = timesOf(pid);
  let ticks = own + ended;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const child = timesOf(Number(name));
      if (child.parent === pid) ticks += child.own;
    } catch {
      // It ended after the list was read.
    }
  }
  return ticks / TICKS_PER_SECOND;
}

/**
 * From /proc/PID/stat: the parent is field 4, user and system time are fields 14 and 15, those of
 * ended children 16 and 17. Field 2, the name, may contain spaces and ends with the last bracket.
 */
function timesOf(pid: number): { parent: number; own: number; ended: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ').map(Number) ?? [];
  const [own = 0, system = 0, ended = 0, systemOfEnded = 0] = fields.slice(11, 15);
  return { parent: fields[1] ?? -1, own: own + system, ended: ended + systemOfEnded };
}
