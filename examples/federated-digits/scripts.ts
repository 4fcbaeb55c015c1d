/** Runs this folder's Python scripts to their end. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';

export const home = import.meta.dirname;

/**
 * Without the user's settings of Trainyard, and without leaving compiled files. The Python package
 * is this checkout's.
 */
export const scriptEnv: Readonly<Record<string, string | undefined>> = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TRAINYARD_'))),
  PYTHONDONTWRITEBYTECODE: '1',
  PYTHONPATH: join(home, '../../python/src'),
};

/** Runs a script in `folder` and returns its output. Rejects with its error output. */
export function runScript(script: string, args: readonly string[], folder: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('python3', [join(home, script), ...args], { cwd: folder, env: scriptEnv, signal }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${script} failed: ${stderr.trim().split('\n').at(-1) || error.message}`, { cause: error }));
    });
  });
}
