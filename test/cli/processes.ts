/** Runs the command line in its own process, as users do. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Io, run } from '../../src/cli/cli.ts';
import { bundlePath } from '../support/bundle.ts';

export interface CommandProcess {
  /** All of stdout and stderr so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
  /** Closes our end of its stdout, like `head`. */
  closeStdout(): void;
}

/** Starts `trainyard ARGS` in a folder, with only these settings. */
export function startCommand(cwd: string, args: readonly string[], settings: Readonly<Record<string, string>>): CommandProcess {
  const child = spawn(process.execPath, [bundlePath, ...args], {
    cwd,
    env: { ...withoutSettings(), ...settings },
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

/** The environment without variables that would lead a test's process to another gateway. */
function withoutSettings(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TRAINYARD_')));
}

/** A command that runs in this process. Await it for its end. */
export interface CommandHere extends Promise<Ended> {
  /** All of stdout and stderr so far. */
  stdout(): string;
  stderr(): string;
}

/**
 * Runs a command in this process, which is faster: everything except the entry point. Paths must be
 * absolute.
 */
export function runHere(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  signal = new AbortController().signal,
): CommandHere {
  const written = { stdout: '', stderr: '' };
  const output = (name: keyof typeof written): Io['stdout'] => ({
    write: (text) => {
      written[name] += text;
      return true;
    },
    once: () => {},
    on: () => {},
  });
  const running = run(args, { stdout: output('stdout'), stderr: output('stderr'), env, signal }).then((code) => ({ code, ...written }));
  return Object.assign(running, { stdout: () => written.stdout, stderr: () => written.stderr });
}

/** Writes a job file into this folder. Returns its path. */
export async function writeJob(folder: string, text: string): Promise<string> {
  const path = join(folder, `${randomUUID()}.yaml`);
  await writeFile(path, text);
  return path;
}
