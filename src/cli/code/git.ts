import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { UsageError } from '../io.ts';

const run = promisify(execFile);
/** The list of files of a very large repository. */
const MOST_OUTPUT = 256 * 1024 ** 2;

/** The state of the repository that a folder is in. */
export interface GitState {
  readonly commit: string;
  readonly branch: string | null;
  readonly isDirty: boolean;
}

/** Whether a folder is in the work tree of a repository. */
export async function isInRepository(folder: string): Promise<boolean> {
  for (let at = folder; ; at = dirname(at)) {
    if (await exists(join(at, '.git'))) return true;
    if (dirname(at) === at) return false;
  }
}

export const isRepository = (folder: string): Promise<boolean> => exists(join(folder, '.git'));

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The paths below a folder that git tracks, or could add: it does not ignore them. */
export async function listGitFiles(folder: string): Promise<Buffer[]> {
  const list = await git(folder, 'ls-files', '-z', '--cached', '--others', '--exclude-standard');
  const paths = new Map<string, Buffer>();
  for (let start = 0, end = list.indexOf(0); end >= 0; start = end + 1, end = list.indexOf(0, start)) {
    const path = list.subarray(start, end);
    // During a merge a path is listed once for each side.
    paths.set(path.toString('latin1'), path);
  }
  return [...paths.values()];
}

/** Null for a repository without a commit. */
export async function readGitState(folder: string): Promise<GitState | null> {
  const commit = await git(folder, 'rev-parse', '--verify', '--quiet', 'HEAD').catch(() => null);
  if (commit === null) return null;
  const branch = await git(folder, 'symbolic-ref', '--short', '--quiet', 'HEAD').catch(() => null);
  const changes = await git(folder, 'status', '--porcelain', '-z', '--', '.');
  return { commit: lineOf(commit), branch: branch && lineOf(branch), isDirty: changes.length > 0 };
}

const lineOf = (output: Buffer): string => output.toString('utf8').trim();

async function git(folder: string, ...args: readonly string[]): Promise<Buffer> {
  try {
    // A repository can name a program that git runs to find changed files.
    const { stdout } = await run('git', ['-c', 'core.fsmonitor=false', ...args], {
      cwd: folder,
      encoding: 'buffer',
      maxBuffer: MOST_OUTPUT,
      env: { ...process.env, GIT_OPTIONAL_LOCKS: '0' },
    });
    return stdout;
  } catch (error) {
    throw new UsageError(`${folder} is in a Git repository, but git cannot read it: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'ENOENT') return 'there is no git on this machine.';
  return 'stderr' in error && String(error.stderr).trim() !== '' ? String(error.stderr).trim() : error.message;
}
