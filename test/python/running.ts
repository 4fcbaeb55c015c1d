/** Runs a Python program to its end. */
import { spawn } from 'node:child_process';
import { environment } from './interpreters.ts';

export interface Ran {
  readonly exitCode: number | null;
  /** Both streams, as they came. */
  readonly output: string;
}

export interface RunOptions {
  readonly command?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export function runPython(args: readonly string[], { command = 'python3', cwd, env = {} }: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: { ...environment, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (part: Buffer) => {
        output += part.toString();
      });
    child.once('error', reject);
    child.once('close', (exitCode) => resolve({ exitCode, output }));
  });
}
