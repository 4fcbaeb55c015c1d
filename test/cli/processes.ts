/** A gateway and the command line as processes of their own, as their users have them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** What the tests sign in with: the gateway is told to accept it. */
export const adminKey = 'tyk_commandlinetests0000000000000000000000000000';

export interface GatewayProcess {
  readonly url: string;
  readonly port: number;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** Starts `trainyard serve` on a data folder and resolves once it takes requests. */
export async function startGateway(dataDir: string, port = 0): Promise<GatewayProcess> {
  const child = spawn(process.execPath, [main, 'serve', '--port', String(port), '--data-dir', dataDir], {
    env: { ...withoutSettings(), TRAINYARD_ADMIN_KEY: adminKey },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const url = await readUntil(child, /http:\/\/127\.0\.0\.1:\d+/);
  return {
    url,
    port: Number(new URL(url).port),
    async kill(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill(signal);
      await ended;
    },
  };
}

function readUntil(child: ChildProcess, pattern: RegExp): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      const found = pattern.exec(output);
      if (found !== null) resolve(found[0]);
    });
  }
  child.once('exit', (code) => reject(new Error(`The process ended with ${code} before it said what was waited for:\n${output}`)));
  return promise;
}

export interface CommandProcess {
  /** All of stdout and stderr so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
  /** Closes our end of its stdout, as `head` does. */
  closeStdout(): void;
}

/** Starts `trainyard ARGS`, with a folder of its own as the current one. */
export function startCommand(
  cwd: string,
  url: string | undefined,
  args: readonly string[],
  env: Record<string, string> = {},
): CommandProcess {
  const settings = url === undefined ? {} : { TRAINYARD_URL: url, TRAINYARD_TOKEN: adminKey };
  const child = spawn(process.execPath, [main, ...args], {
    cwd,
    env: { ...withoutSettings(), ...settings, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return {
    stdout: () => stdout,
    stderr: () => stderr,
    ended: once(child, 'close').then(([code]) => code),
    kill: (signal) => child.kill(signal),
    closeStdout: () => child.stdout.destroy(),
  };
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `trainyard ARGS` to its end. */
export async function runCommand(...start: Parameters<typeof startCommand>): Promise<Ended> {
  const command = startCommand(...start);
  const code = await command.ended;
  return { code, stdout: command.stdout(), stderr: command.stderr() };
}

/** The environment without what would lead a process of the tests to another gateway. */
function withoutSettings(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TRAINYARD_')));
}
