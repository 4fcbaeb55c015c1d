/** The real gateway in its own process, to be asked, killed and restarted. */
import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { bundle } from './bundle.ts';
import type { TestDatabase } from './databases.ts';
import { noteOf } from './run-folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** A gateway ends within 15 s (P11); after this time it hangs. */
const END_WITHIN_MS = 20_000;
/** Enough for a busy machine. A gateway that cannot start ends at once. */
const START_WITHIN_MS = 100_000;

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Gateway {
  /** http://127.0.0.1:PORT, the same after a restart. */
  readonly url: string;
  readonly port: number;
  /** A key with every right. */
  readonly adminKey: string;
  readonly pid: number;
  /** Its output since its first start. */
  output(): string;
  /** Sends the signal and waits for the end. For a process, SIGKILL is like a power cut. */
  kill(signal?: NodeJS.Signals): Promise<Ending>;
  /** Resolves when the process has ended, by itself or by a signal. */
  ended(): Promise<Ending>;
  /** Starts it again with the same data and port. If it still runs, it is killed first. */
  restart(): Promise<void>;
  /** Ends it, by force if it has to. For `afterEach`. */
  stop(): Promise<void>;
}

export interface GatewayOptions {
  /**
   * Its data: `createSqliteDatabase()` or `createPostgresDatabase()`. The test removes it after the
   * gateway has stopped.
   */
  readonly database: Pick<TestDatabase, 'folder' | 'url'>;
  /** Additional flags: `['--some-setting', 'value']`. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** `serve` runs only the gateway; `up` runs an agent as well. */
  readonly command?: 'serve' | 'up';
  /**
   * Prefix of the command on each start, such as strace. It must exec the gateway, which would
   * otherwise not get the signals.
   */
  readonly before?: () => readonly string[];
  /** Flags of Node itself: `['--import', 'file://…']`. */
  readonly nodeFlags?: readonly string[];
  /** `src/main.ts` for a test that alters what Node loads. Default: the bundle. */
  readonly program?: string;
}

/** Starts a gateway and waits for its address. Throws with its output if it ends first. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { database, flags = [], env = {}, command = 'serve', before = () => [], nodeFlags = [], program = bundle } = options;
  const adminKey = 'tyk_for-tests-alone-0123456789abcdefghijklmnopq';
  let output = '';
  let port = 0;
  let child: ChildProcess;
  let ending: Promise<Ending>;

  function spawnGateway(): void {
    const place = ['--host', '127.0.0.1', '--port', String(port), '--data-dir', database.folder];
    const data = database.url === null ? [] : ['--database-url', database.url];
    const [executable = '', ...args] = [...before(), process.execPath, ...nodeFlags, program, command, ...place, ...data, ...flags];
    child = spawn(executable, args, {
      cwd: root,
      // Without the settings of the user who runs the tests.
      env: { ...withoutSettings(process.env), TRAINYARD_ADMIN_KEY: adminKey, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const started = child;
    const note = join(inject('runFolder'), noteOf(started.pid ?? 0));
    writeFileSync(note, '');
    const keep = (part: Buffer) => {
      output += part.toString();
    };
    started.stdout?.on('data', keep);
    started.stderr?.on('data', keep);
    ending = new Promise((resolve) => {
      started.once('close', (code, signal) => {
        rmSync(note, { force: true });
        resolve({ code, signal });
      });
    });
  }

  async function start(): Promise<void> {
    const printed = output.length;
    spawnGateway();
    const address = new Promise<string>((resolve) => {
      child.stdout?.on('data', () => {
        const found = /http:\/\/127\.0\.0\.1:(\d+)\D/.exec(output.slice(printed))?.[1];
        if (found) resolve(found);
      });
    });
    const failed = ending.then(({ code }) => Promise.reject(new Error(`The gateway ended with ${code}:\n${output.slice(printed)}`)));
    try {
      port = Number(await within(START_WITHIN_MS, Promise.race([address, failed]), () => `The gateway said no address:\n${output}`));
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    failed.catch(() => {});
  }

  const isEnded = () => child.exitCode !== null || child.signalCode !== null;
  async function kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Ending> {
    if (!isEnded()) child.kill(signal);
    return within(END_WITHIN_MS, ending, () => `The gateway did not end after ${signal}:\n${output}`);
  }

  await start();
  return {
    adminKey,
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    get port() {
      return port;
    },
    get pid() {
      return child.pid ?? -1;
    },
    output: () => output,
    kill,
    ended: () => ending,
    async restart() {
      await kill('SIGKILL');
      await start();
    },
    async stop() {
      await kill('SIGKILL');
    },
  };
}

function withoutSettings(env: NodeJS.ProcessEnv): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TRAINYARD_')));
}

async function within<T>(milliseconds: number, promise: Promise<T>, message: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(message())), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
