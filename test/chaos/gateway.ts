/**
 * A gateway of the chaos tests: its own process, killed and restarted on the same port and data.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../../bin/program.js';
import type { Notebook } from './notes.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Bounds for a hang. P11 allows 15 s for a stop. */
const START_WITHIN_MS = 180_000;
const STOP_WITHIN_MS = 60_000;

export const adminKey = 'tyk_for-chaos-tests-alone-0123456789abcdefghijklm';

export interface GatewayPlace {
  /** Its name in the notes: `gateway 0`. */
  readonly name: string;
  readonly port: number;
  readonly dataDir: string;
  /** postgres://… or null for SQLite. */
  readonly databaseUrl: string | null;
  /** The checkout that runs. Default: this one. */
  readonly source?: string | undefined;
  readonly flags?: readonly string[] | undefined;
  /** The prefix of each start, with its flags: `['strace', '-f', …]`. */
  readonly under?: (() => readonly string[]) | undefined;
  /** Called for each started process. */
  readonly onSpawn?: ((child: ChildProcess) => void) | undefined;
}

export class GatewayProcess {
  readonly place: GatewayPlace;
  readonly #notebook: Notebook;
  #child: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  #output = '';

  constructor(place: GatewayPlace, notebook: Notebook) {
    this.place = place;
    this.#notebook = notebook;
  }

  get url(): string {
    return `http://127.0.0.1:${this.place.port}`;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Its output since its first start. */
  get output(): string {
    return this.#output;
  }

  /**
   * Starts the process and returns at once. `ready` resolves when it serves, and rejects if it ends
   * before that.
   */
  start(): { readonly ready: Promise<void> } {
    const { name, port, dataDir, databaseUrl, source = root, flags = [], under = () => [] } = this.place;
    const before = this.#output.length;
    const args = [findProgram(source), 'serve', '--host', '127.0.0.1', '--port', String(port), '--data-dir', dataDir, ...flags];
    const [program = '', ...rest] = [
      ...under(),
      process.execPath,
      ...args,
      ...(databaseUrl === null ? [] : ['--database-url', databaseUrl]),
    ];
    // The compile cache of a copied source is removed with the copy.
    const cache = source === root ? {} : { NODE_COMPILE_CACHE: join(source, 'compiled') };
    this.#notebook.write({ kind: 'fate', of: name, what: 'starting' });
    const child = spawn(program, rest, {
      cwd: source,
      env: { ...withoutSettings(process.env), TRAINYARD_ADMIN_KEY: adminKey, ...cache },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.place.onSpawn?.(child);
    this.#ended = new Promise((resolve) => child.once('close', () => resolve()));
    const ready = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${name} said no address:\n${this.#output.slice(before)}`)), START_WITHIN_MS);
      const listen = () => {
        if (!this.#output.slice(before).includes(`http://127.0.0.1:${port}`)) return;
        clearTimeout(timer);
        child.stdout.off('data', listen);
        this.#notebook.write({ kind: 'fate', of: name, what: 'ready' });
        resolve();
      };
      for (const pipe of [child.stdout, child.stderr]) {
        pipe.on('data', (part: Buffer) => {
          this.#output += String(part);
        });
      }
      child.stdout.on('data', listen);
      child.once('close', (code, signal) => {
        clearTimeout(timer);
        reject(new Error(`${name} ended with ${code ?? signal}:\n${this.#output.slice(before)}`));
      });
    });
    ready.catch(() => {});
    return { ready };
  }

  /** Sends SIGKILL, and waits for the end. */
  async kill(): Promise<void> {
    if (!this.isRunning) return;
    this.#child?.kill('SIGKILL');
    this.#notebook.write({ kind: 'fate', of: this.place.name, what: 'killed' });
    await this.#ended;
  }

  /** Pauses the process, or lets it continue. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
    this.#notebook.write({ kind: 'fate', of: this.place.name, what: signal === 'SIGSTOP' ? 'paused' : 'resumed' });
  }

  /** Asks it to end, and kills it if it does not. Returns whether it ended by itself. */
  async stop(): Promise<boolean> {
    this.#child?.kill('SIGTERM');
    this.#notebook.write({ kind: 'fate', of: this.place.name, what: 'stopped' });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), STOP_WITHIN_MS);
    });
    const isEnded = await Promise.race([this.#ended.then(() => true), late]);
    clearTimeout(timer);
    if (!isEnded) await this.kill();
    return isEnded;
  }
}

export function withoutSettings(env: NodeJS.ProcessEnv): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TRAINYARD_')));
}

/** Below the ports of outgoing connections: nothing takes a dead gateway's port by chance. */
const FIRST_PORT = 12_000;
const LAST_PORT = 30_000;

/** A port that was free a moment ago. */
export async function findPort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}
