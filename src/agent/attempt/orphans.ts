import { constants, existsSync } from 'node:fs';
import { open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { containerNameOf, environmentFile, markOf, placeFiles, removeAttempt, stepsFolder } from '../files/folder.ts';
import { askEngine } from '../machine/engine.ts';
import type { Containment } from '../process/containment.ts';
import { Family } from '../process/family.ts';
import { findProcess } from '../process/processes.ts';

/**
 * Identifies an attempt's process. A pid alone does not: once the process has ended or the machine
 * restarted, it may be another's.
 */
export interface ProcessRecord {
  readonly pid: number;
  readonly startedAt: string;
  /** Identifies this boot of the machine. Null where the system has no boot id. */
  readonly bootId: string | null;
  /** The name of its container, if any. */
  readonly container: string | null;
}

/** Records an attempt's process while it runs. */
export async function recordProcess(path: string, pid: number, container: string | null): Promise<void> {
  const row = await findProcess(pid);
  // It has ended already, so there is nothing to find later.
  if (row === null) return;
  const record: ProcessRecord = { pid, startedAt: row.startedAt, bootId: await readBootId(), container };
  await writeFile(path, JSON.stringify(record), { mode: 0o600 });
}

/** Whether the recorded process still runs. */
export async function isAlive(record: ProcessRecord): Promise<boolean> {
  if (record.bootId !== (await readBootId())) return false;
  return (await findProcess(record.pid))?.startedAt === record.startedAt;
}

/**
 * Null where there is no valid record: a step that runs as the agent's user can put anything in its
 * place.
 */
export async function readRecord(path: string): Promise<ProcessRecord | null> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => null);
  if (file === null) return null;
  try {
    const stats = await file.stat();
    if (!stats.isFile() || stats.size > 4_096) return null;
    const record: unknown = JSON.parse(await file.readFile('utf8'));
    return isRecord(record) ? record : null;
  } catch {
    // An agent that was killed while it wrote leaves half a file.
    return null;
  } finally {
    await file.close();
  }
}

function isRecord(value: unknown): value is ProcessRecord {
  if (typeof value !== 'object' || value === null || !('pid' in value && 'startedAt' in value && 'bootId' in value && 'container' in value))
    return false;
  const { pid, container } = value;
  return Number.isSafeInteger(pid) && Number(pid) > 0 && (container === null || /^trainyard-[\w-]+$/.test(String(container)));
}

/**
 * Ends what a killed agent left in this folder: its steps' processes, containers and files. Their
 * leases run out by themselves. Resolves with the number of attempts. Only the agent that occupies
 * the folder may call it.
 */
export async function removeOrphans(workDir: string, containment: Containment): Promise<number> {
  const folder = stepsFolder(workDir);
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const root = join(folder, name);
    const record = await readRecord(join(root, 'process.json'));
    await endProcesses(root, record, containment);
    const hasContainer = record?.container || existsSync(environmentFile(root));
    // Remove the container after the docker program, which could still create it. If the engine is
    // away, the container is looked for at the next start.
    if (hasContainer && !(await removeContainer(containerNameOf(name)))) continue;
    await removeAttempt(folder, name);
  }
  return names.length;
}

/** Whether it is certainly gone. */
async function removeContainer(name: string): Promise<boolean> {
  return askEngine(['rm', '--force', '--volumes', name], 60).then(
    () => true,
    (error: Error) => /no such container/i.test(error.message),
  );
}

/** Also ends what outlived the recorded process, or was started before it was recorded. */
async function endProcesses(root: string, record: ProcessRecord | null, containment: Containment): Promise<void> {
  const enclosure = containment.enclosureOf(root);
  // A keeper is an orphan too.
  const group = enclosure?.keepers === 0 ? enclosure : undefined;
  // Process 1 belongs to no step, and all others descend from it.
  const pid = record !== null && record.pid > 1 && (await isAlive(record)) ? record.pid : null;
  await new Family({ root: pid, mark: markOf({ paths: placeFiles(join(root, 'work')) }), enclosure: group }).end();
  await group?.close();
}

async function readBootId(): Promise<string | null> {
  return readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
    (text) => text.trim(),
    () => null,
  );
}
