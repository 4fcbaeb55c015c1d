/** The Python interpreters of this machine. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const pythonFolder = `${root}python/`;

/** Where pyenv is, its shims need the versions that may be used. */
const pyenv = spawnSync('pyenv', ['versions', '--bare'], { encoding: 'utf8' });
const versions = pyenv.status === 0 ? { PYENV_VERSION: pyenv.stdout.trim().split('\n').join(':') } : {};

/** The environment of an interpreter: without the settings of the user who runs the tests. */
export const environment: Readonly<Record<string, string | undefined>> = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TRAINYARD_'))),
  PYTHONDONTWRITEBYTECODE: '1',
  PYTHONPATH: `${pythonFolder}src`,
};

const runs = (command: string, env: Readonly<Record<string, string | undefined>>) =>
  spawnSync(command, ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))'], { env: { ...environment, ...env } }).status === 0;

/** Whether there is a `python3` that can run the package. */
export const hasPython = runs('python3', {});

/** The interpreters of each version that the package is for, as far as they are here. */
export const interpreters = ['3.9', '3.10', '3.11', '3.12', '3.13']
  .map((version) => ({ version, command: `python${version}`, env: versions }))
  .filter(({ command, env }) => runs(command, env));

/** For the name of a suite that is skipped. */
export const unlessPython = hasPython ? '' : ' (skipped: no python3 of version 3.9 or later is on the PATH)';
