import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { access, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { CommandLine, Enclosure } from './enclosure.ts';
import { sendSignal } from './processes.ts';

const run = promisify(execFile);

/** This process's place in one hierarchy of control groups: cgroups(7). */
export interface CgroupPlace {
  readonly version: 1 | 2;
  /** Where the hierarchy is mounted, and the folder of this process's group in it. */
  readonly mount: string;
  readonly folder: string;
}

/** This process's place in the version 2 hierarchy. */
export const findUnifiedCgroup = () => findPlace('');

/** This process's place in a version 1 controller's hierarchy. */
export const findCgroup = (controller: string) => findPlace(controller);

function findPlace(controller: string): CgroupPlace | null {
  const own = parseOwn(read('/proc/self/cgroup')).find(({ controllers }) => controllers.includes(controller));
  const mounted = parseMounts(read('/proc/self/mountinfo')).find(({ type, options }) =>
    controller === '' ? type === 'cgroup2' : type === 'cgroup' && options.includes(controller),
  );
  if (own === undefined || mounted === undefined) return null;
  // A container may see only a part of the hierarchy, with the rest of the path before its mount.
  const path = own.path.startsWith(mounted.root) ? own.path.slice(mounted.root === '/' ? 0 : mounted.root.length) : own.path;
  if (path.includes('/..')) return null;
  return { version: controller === '' ? 2 : 1, mount: mounted.mount, folder: join(mounted.mount, path) };
}

/** The lines of /proc/self/cgroup: `4:memory:/path`, and `0::/path` for version 2. */
const parseOwn = (text: string) =>
  text.split('\n').flatMap((line) => {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    return match === null ? [] : { controllers: (match[1] ?? '').split(','), path: match[2] ?? '/' };
  });

/** The lines of /proc/self/mountinfo (proc(5)), which writes blanks as \040. */
const parseMounts = (text: string) =>
  text.split('\n').flatMap((line) => {
    const [place = '', system = ''] = line.split(' - ');
    const [, , , root, mount] = place.split(' ');
    const [type, , options = ''] = system.split(' ');
    if (root === undefined || mount === undefined || type === undefined) return [];
    return { root, mount: mount.replaceAll('\\040', ' '), type, options: options.split(',') };
  });

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/**
 * How many cores this process may use: the smallest quota from its control group up to the root of
 * the hierarchy. Null without a quota. (Node does not count version 1 quotas whose controller is
 * mounted separately.)
 */
export function findCpuQuota(): number | null {
  const quotas = [findUnifiedCgroup(), findCgroup('cpu')].flatMap((place) => {
    if (place === null) return [];
    const folders = [place.folder];
    while (folders[0]?.startsWith(`${place.mount}/`)) folders.unshift(dirname(folders[0]));
    return folders.map((folder) =>
      place.version === 2
        ? parseQuota(read(join(folder, 'cpu.max')))
        : parseQuota(`${read(join(folder, 'cpu.cfs_quota_us'))} ${read(join(folder, 'cpu.cfs_period_us'))}`),
    );
  });
  const smallest = Math.min(...quotas.filter((quota) => quota !== null));
  return Number.isFinite(smallest) ? smallest : null;
}

/**
 * Parses `150000 100000`: microseconds of CPU time per period. `max`, or -1 in version 1, is no
 * quota. Returns cores, in hundredths.
 */
export function parseQuota(text: string): number | null {
  const [quota, period] = text.trim().split(/\s+/).map(Number);
  if (quota === undefined || period === undefined || !(quota > 0) || !(period > 0)) return null;
  return Math.max(0.01, Math.round((quota / period) * 100) / 100);
}

/**
 * Makes a control group for each step, below this process's own, if that is allowed: for root, and
 * for a user whose group was delegated to it.
 *
 * Version 2 kills a group at once, whatever its processes do meanwhile. In version 1 the freezer
 * stops them until all are killed. In version 1 a second group, of the memory controller, tells
 * whether the kernel killed a process because memory ran out.
 */
export class CgroupMaker {
  readonly #folders: readonly string[];

  private constructor(folders: readonly string[]) {
    this.#folders = folders;
  }

  /** Null where this process may not make groups, which it finds out by making one. */
  static async find(versions: ReadonlyArray<1 | 2>): Promise<CgroupMaker | null> {
    for (const version of versions) {
      const place = version === 2 ? findUnifiedCgroup() : findCgroup('freezer');
      if (place === null || !(await canHold(place.folder))) continue;
      const memory = findCgroup('memory');
      const hasMemory = memory !== null && (await canHold(memory.folder));
      return new CgroupMaker([place.folder, ...(hasMemory ? [memory.folder] : [])]);
    }
    return null;
  }

  /**
   * The group of an attempt. The same name finds the group again, also one that an earlier agent
   * made.
   */
  of(name: string): Cgroup {
    const id = createHash('sha256').update(name).digest('hex').slice(0, 24);
    return new Cgroup(this.#folders.map((folder) => join(folder, `trainyard-${id}`)));
  }
}

/** Whether this process can make a group there, put a process into it and kill all of it. */
async function canHold(parent: string): Promise<boolean> {
  const group = new Cgroup([join(parent, `trainyard-probe-${process.pid}`)]);
  try {
    await group.open();
    const { file, args } = group.enclose({ file: '/bin/sh', args: ['-c', 'cat /proc/self/cgroup'] });
    const { stdout } = await run(file, [...args], { timeout: 10_000 });
    return stdout.includes('/trainyard-probe-') && (await group.canKill());
  } catch {
    return false;
  } finally {
    await group.close();
  }
}

/** One control group, in each of its hierarchies. */
export class Cgroup implements Enclosure {
  readonly keepers = 0;
  readonly #folders: readonly string[];

  constructor(folders: readonly string[]) {
    this.#folders = folders;
  }

  async open(): Promise<void> {
    for (const folder of this.#folders) await mkdir(folder, { recursive: true });
  }

  /**
   * A shell joins the group and then becomes the command, so no part of the command runs outside.
   */
  enclose({ file, args }: CommandLine): CommandLine {
    const joins = this.#folders.map((_, i) => `echo 0 > "$${i + 1}/cgroup.procs"`).join('; ');
    const script = `{ ${joins}; } 2>/dev/null; shift ${this.#folders.length}; exec "$@"`;
    return { file: '/bin/sh', args: ['-c', script, 'sh', ...this.#folders, file, ...args] };
  }

  /** A group in each of its groups. */
  within(name: string): Enclosure {
    return new Cgroup(this.#folders.map((folder) => join(folder, name)));
  }

  async list(): Promise<ReadonlySet<number>> {
    const lists = await Promise.all(this.#folders.map(listProcesses));
    return new Set(lists.flat());
  }

  async canKill(): Promise<boolean> {
    const files = ['cgroup.kill', 'freezer.state'].map((name) => join(this.#folders[0] ?? '', name));
    return (await Promise.all(files.map(exists))).includes(true);
  }

  async kill(): Promise<void> {
    const [folder = ''] = this.#folders;
    if (await write(join(folder, 'cgroup.kill'), '1')) return;
    await write(join(folder, 'freezer.state'), 'FROZEN');
    for (const pid of await this.list()) sendSignal(pid, 'SIGKILL');
    await write(join(folder, 'freezer.state'), 'THAWED');
  }

  /**
   * How many of its processes the kernel killed because memory ran out. Null if nothing counts
   * that.
   */
  async countMemoryKills(): Promise<number | null> {
    for (const folder of this.#folders) {
      for (const name of ['memory.events', 'memory.oom_control']) {
        const text = await readFile(join(folder, name), 'utf8').catch(() => '');
        const match = /^oom_kill (\d+)$/m.exec(text);
        if (match !== null) return Number(match[1]);
      }
    }
    return null;
  }

  /**
   * A killed process may hold the group for a moment. A group that stays is empty and costs
   * nothing.
   */
  async close(): Promise<void> {
    for (const folder of this.#folders) {
      for (let tries = 0; tries < 20 && !(await removeFolder(folder)); tries += 1) await delay(10);
    }
  }
}

async function listProcesses(folder: string): Promise<number[]> {
  const text = await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '');
  const own = text.split('\n').filter(Boolean).map(Number);
  // A step that runs as root may have made its own groups in it.
  return [...own, ...(await Promise.all((await subfolders(folder)).map(listProcesses))).flat()];
}

async function removeFolder(folder: string): Promise<boolean> {
  for (const each of await subfolders(folder)) await removeFolder(each);
  return rmdir(folder).then(
    () => true,
    async () => !(await exists(folder)),
  );
}

async function subfolders(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
}

const succeeds = (promise: Promise<unknown>) =>
  promise.then(
    () => true,
    () => false,
  );
const exists = (path: string) => succeeds(access(path));
// Existing files only: a group that is gone must not become a plain file.
const write = (path: string, text: string) => succeeds(writeFile(path, text, { flag: 'r+' }));
