/** The command line in a process of its own, as its users have it. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Io, run } from '../../src/cli/cli.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

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

/** Starts `trainyard ARGS` in a folder, with these settings and no others. */
export function startCommand(cwd: string, args: readonly string[], settings: Readonly<Record<string, string>>): CommandProcess {
  const child = spawn(process.execPath, [main, ...args], {
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

/** The environment without what would lead a process of the tests to another gateway. */
function withoutSettings(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TRAINYARD_')));
}

/** A command that runs in this process; await it for its end. */
export interface CommandHere extends Promise<Ended> {
  /** All of stdout and stderr so far. */
  stdout(): string;
  stderr(): string;
}

/** Runs a command in this process, which is quicker: all of the command line but its entry. Paths have to be absolute. */
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

/** Writes a job file into this folder; answers its path. */
export async function writeJob(folder: string, text: string): Promise<string> {
  const path = join(folder, `${randomUUID()}.yaml`);
  await writeFile(path, text);
  return path;
}
