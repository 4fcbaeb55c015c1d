import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CgroupMaker } from './cgroups.ts';
import { type Enclosure, Subreaper } from './enclosure.ts';

const run = promisify(execFile);

/** How this machine finds all processes of a step, even those that try to escape. */
export interface Containment {
  /** A sentence for the operator. */
  readonly description: string;
  /** Where a step sees its work folder, if not at the agent's path. */
  readonly visibleWork?: string;
  /**
   * What encloses an attempt with this unique name. Undefined where only marks and the process tree
   * identify its processes.
   */
  enclosureOf(name: string): Enclosure | undefined;
}

/** The most reliable way on this machine. */
export async function findContainment(): Promise<Containment> {
  return (await findGrouping()) ?? (await findAdopting()) ?? marking;
}

/**
 * Control groups, where this process may make them: only root can move a process out of one. Tries
 * these versions in order.
 */
export async function findGrouping(versions: ReadonlyArray<1 | 2> = [2, 1]): Promise<Containment | null> {
  const groups = process.platform === 'linux' ? await CgroupMaker.find(versions) : null;
  if (groups === null) return null;
  const description = 'Processes that a step starts end with it, by a control group.';
  return { description, enclosureOf: (name) => groups.of(name) };
}

/** A process that adopts orphaned processes of the step, where Perl can run it. */
export async function findAdopting(): Promise<Containment | null> {
  if (!(await canAdopt())) return null;
  const description = 'Processes that a step starts end with it, by a process that adopts orphans.';
  return { description, enclosureOf: () => new Subreaper() };
}

const marking: Containment = {
  description:
    'Processes that a step starts end with it if parents, sessions or environments identify them. This machine has neither control groups nor Perl to adopt orphans.',
  enclosureOf: () => undefined,
};

/** Tries it with a command. Its exit code is reported on descriptor 3. */
async function canAdopt(): Promise<boolean> {
  if (!Subreaper.isPossible()) return false;
  const { file, args } = new Subreaper().enclose({ file: '/bin/sh', args: ['-c', 'exit 7'] });
  const { stdout } = await run('/bin/sh', ['-c', '"$@" 3>&1 >/dev/null', 'sh', file, ...args], { timeout: 10_000 }).catch(() => ({
    stdout: '',
  }));
  return stdout === 'E 7\n';
}
