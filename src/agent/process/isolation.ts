import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Containment } from './containment.ts';
import { type CommandLine, childrenOf, type Enclosure } from './enclosure.ts';
import { passEnvironment } from './environment.ts';
import { GroupProcess, SpawnError } from './process.ts';
import { sendSignal } from './processes.ts';

/** Where an isolated step sees its work folder, in its own /tmp. */
const isolatedWorkFolder = '/tmp/trainyard';

/**
 * The users that isolated steps run as, one for each. No convention assigns these ids, and they
 * exist even in a container that has only 65536.
 */
const firstUser = 64_000;
const mostUsers = 1_000;

const tryMilliseconds = 20_000;

export interface IsolationOptions {
  /** The agent's folder, which no step can see. */
  readonly workDir: string;
  /** The user that all isolated steps run as. Default: one for each step. */
  readonly user?: string | undefined;
}

/** Why steps cannot be isolated here. */
export class IsolationError extends Error {
  override readonly name = 'IsolationError';
}

/**
 * Runs each process step as an unprivileged user, with its own processes, /tmp and work folder
 * (namespaces(7)). Nothing that it starts outlives it: the kernel ends a PID namespace with its
 * first process. Tries it once, and rejects with IsolationError where it does not work.
 */
export async function isolate({ workDir, user }: IsolationOptions): Promise<Containment> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    throw new IsolationError('Isolation needs Linux and an agent that runs as root.');
  }
  const users = new Set<number>();
  const take = () => {
    const number = Array.from({ length: mostUsers }, (_, i) => firstUser + i).find((each) => !users.has(each)) ?? firstUser;
    users.add(number);
    return number;
  };
  const enclosureOf = (root: string) => {
    const number = user === undefined ? take() : null;
    const leave = () => {
      if (number !== null) users.delete(number);
    };
    return new Isolation({ work: join(root, 'work'), workDir, user: user ?? String(number), hasName: user !== undefined, leave });
  };
  await tryOut(workDir, enclosureOf);
  const who = user === undefined ? `as its own user (${firstUser} and up)` : `as the user ${user}`;
  return {
    description: `Process steps are isolated: each runs ${who}, with its own /tmp and processes, and cannot see ${workDir}. All that it starts ends with it.`,
    visibleWork: isolatedWorkFolder,
    enclosureOf,
  };
}

async function tryOut(workDir: string, enclosureOf: (root: string) => Isolation): Promise<void> {
  const root = await mkdtemp(join(workDir, 'isolation-'));
  const isolation = enclosureOf(root);
  let problem = '';
  try {
    await mkdir(join(root, 'work'));
    const child = await GroupProcess.start({
      file: '/bin/sh',
      args: ['-c', `test "$(id -u)" != 0 && test "$(pwd)" = ${isolatedWorkFolder} && touch file`],
      cwd: root,
      env: passEnvironment(process.env),
      enclosure: isolation,
      onOutput: (_stream, bytes) => {
        problem = bytes.toString('utf8').trim();
      },
    });
    const giveUp = setTimeout(() => child.kill(), tryMilliseconds);
    const { exitCode } = await child.exited;
    clearTimeout(giveUp);
    if (exitCode !== 0) throw new IsolationError(`Steps cannot be isolated here: ${problem || `the trial exited with code ${exitCode}`}.`);
  } catch (error) {
    if (!(error instanceof SpawnError)) throw error;
    throw new IsolationError(`Steps cannot be isolated here: ${error.message}.`, { cause: error });
  } finally {
    await isolation.close();
    await rm(root, { recursive: true, force: true });
  }
}

interface Setup {
  readonly work: string;
  readonly workDir: string;
  /** A name, or a number that has none. */
  readonly user: string;
  readonly hasName: boolean;
  readonly leave: () => void;
}

class Isolation implements Enclosure {
  /** `unshare`, and the first process of the namespace. */
  readonly keepers = 2;
  readonly #setup: Setup;

  constructor(setup: Setup) {
    this.#setup = setup;
  }

  async open(): Promise<void> {}

  enclose({ file, args }: CommandLine): CommandLine {
    const { work, workDir, user } = this.#setup;
    const unshare = ['--mount', '--pid', '--ipc', '--fork', '--kill-child', '--mount-proc'];
    return {
      file: 'unshare',
      args: [...unshare, '/bin/sh', '-c', firstProcess, 'sh', work, workDir, user, groupsOf(this.#setup), file, ...args],
    };
  }

  within(_name: string, pid: number): Enclosure {
    return new Inside(this.#setup, pid);
  }

  async list(): Promise<ReadonlySet<number>> {
    return new Set();
  }

  async kill(pid: number | null): Promise<void> {
    const first = pid === null ? [] : childrenOf(pid);
    if (pid === null || first.length === 0) return;
    // `unshare` first: it would write to the step's log when its child dies.
    for (const each of [pid, ...first]) sendSignal(each, 'SIGKILL');
  }

  async close(): Promise<void> {
    this.#setup.leave();
  }
}

/** Another command in the namespaces of an isolated step, as its user. */
class Inside implements Enclosure {
  readonly keepers = 0;
  readonly #setup: Setup;
  readonly #pid: number;

  constructor(setup: Setup, pid: number) {
    this.#setup = setup;
    this.#pid = pid;
  }

  async open(): Promise<void> {}

  enclose({ file, args }: CommandLine): CommandLine {
    // Without the first process there is no namespace to enter, and `nsenter` says so.
    const [first = 0] = childrenOf(this.#pid);
    const enter = [`--target=${first}`, '--mount', '--pid', '--ipc'];
    return {
      file: 'nsenter',
      args: [...enter, '/bin/sh', '-c', furtherProcess, 'sh', this.#setup.user, groupsOf(this.#setup), file, ...args],
    };
  }

  within(): Enclosure {
    return this;
  }

  async list(): Promise<ReadonlySet<number>> {
    return new Set();
  }

  async kill(): Promise<void> {}

  async close(): Promise<void> {}
}

const groupsOf = ({ hasName }: Setup) => (hasName ? '--init-groups' : '--clear-groups');

/** The command is the step's user, with no more rights than the step. */
const become = 'setpriv --reuid "$user" --regid "$group" "$groups" --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"';
const findGroup = 'group=$(id -g "$user" 2>/dev/null || echo "$user")';

const furtherProcess = `
user=$1 groups=$2
shift 2
${findGroup}
cd ${isolatedWorkFolder} && exec ${become}
`;

/**
 * The first process of the namespace. It binds the work folder as its current directory, because
 * the agent's folder may lie in the /tmp that gets covered. The step owns its work folder and
 * cannot become another user. When its command has ended, this process waits to be killed, and
 * everything left ends with it.
 */
const firstProcess = `
work=$1 hidden=$2 user=$3 groups=$4
shift 4
prepare() {
  cd "$work" &&
  ${findGroup} &&
  chown -R -h "$user:$group" . &&
  mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /tmp &&
  mkdir ${isolatedWorkFolder} &&
  mount -c --bind . ${isolatedWorkFolder} &&
  mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /var/tmp &&
  { ! test -d /dev/shm || mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /dev/shm; } &&
  { ! test -d "$hidden" || mount -t tmpfs -o mode=0000,nosuid,nodev tmpfs "$hidden"; } &&
  cd ${isolatedWorkFolder}
}
if prepare; then
  ${become} 3>&-
  code=$?
else
  echo "trainyard: the step could not be isolated, and was not started" >&2
  code=125
fi
if test $code -gt 128 && test $code -lt 160; then echo "S $((code - 128))" >&3; else echo "E $code" >&3; fi
exec sleep 2147483647 >/dev/null 2>&1 3>&-
`;
