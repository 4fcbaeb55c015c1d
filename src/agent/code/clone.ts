import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ClaimedStepFieldsFragment } from '../../client/generated.ts';
import { passEnvironment } from '../process/environment.ts';
import { CannotRunError } from '../process/running.ts';
import type { Providing } from './provide.ts';

const run = promisify(execFile);
const MOST_MS = 10 * 60_000;
const MOST_OUTPUT = 1024 ** 2;
/** Those of other machines. With `file`, a job could read what this device has on its disk. */
const usualProtocols: readonly string[] = ['https', 'http', 'ssh', 'git'];

/**
 * Clones the repository of a step's project into its working folder, without its history. Resolves
 * with the commit. Rejects with CannotRunError if git cannot.
 */
export async function cloneCode(
  { folder, signal, gitProtocols }: Providing,
  repository: string | null,
  { ref, commit }: NonNullable<NonNullable<ClaimedStepFieldsFragment['job']['code']>['git']>,
): Promise<string> {
  if (repository === null) throw refusal('its project has no gitRepository, or this device may not see it.');
  // Beside the work folder: the address of the repository, which may have a password in it, is
  // written there.
  const gitDir = join(folder.root, 'git');
  const git = async (...args: readonly string[]) => {
    const settings = ['core.hooksPath=/dev/null', 'core.fsmonitor=false', 'advice.detachedHead=false'].flatMap((each) => ['-c', each]);
    try {
      const { stdout } = await run('git', [...settings, `--git-dir=${gitDir}`, `--work-tree=${folder.work}`, ...args], {
        cwd: folder.root,
        env: environment(gitProtocols ?? usualProtocols),
        maxBuffer: MOST_OUTPUT,
        timeout: MOST_MS,
        signal,
      });
      return stdout.trim();
    } catch (error) {
      signal.throwIfAborted();
      throw refusal(withoutPassword(reasonOf(error)));
    }
  };
  try {
    await git('init', '--quiet', '--template=');
    // All steps of a job run the commit that the first one cloned.
    await git('fetch', '--quiet', '--depth=1', '--no-tags', '--no-recurse-submodules', '--', repository, commit ?? ref ?? 'HEAD');
    const cloned = await git('rev-parse', '--verify', 'FETCH_HEAD^{commit}');
    await git('checkout', '--quiet', '--detach', cloned);
    return cloned;
  } finally {
    await rm(gitDir, { recursive: true, force: true });
  }
}

const refusal = (why: string) => new CannotRunError('DEVICE_REPORTED', `The code of the job could not be cloned: ${why}`);

/** Nobody is there to answer a question of git or ssh. */
function environment(protocols: readonly string[]): Record<string, string> {
  return {
    ...passEnvironment(process.env),
    GIT_ALLOW_PROTOCOL: protocols.join(':'),
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '',
    SSH_ASKPASS: '',
    GCM_INTERACTIVE: 'never',
    GIT_SSH_COMMAND: 'ssh -o BatchMode=yes',
    GIT_LFS_SKIP_SMUDGE: '1',
  };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'ENOENT') return 'this device has no git.';
  if ('killed' in error && error.killed === true) return `git did not end within ${MOST_MS / 60_000} minutes.`;
  const said = 'stderr' in error ? String(error.stderr).trim() : '';
  return said === '' ? error.message : said;
}

const withoutPassword = (text: string): string => text.replaceAll(/\/\/[^/\s@]*@/g, '//***@');
