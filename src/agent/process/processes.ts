import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { passEnvironment } from './environment.ts';

const run = promisify(execFile);

/** What the operating system knows of one process. */
export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** 0 where the system does not say. */
  readonly session: number;
  /** CPU time used so far by it and by the children that it has waited for. */
  readonly cpuSeconds: number;
  /**
   * When it was started. Only good for comparing: the same pid with another value is another
   * process.
   */
  readonly startedAt: string;
  /** It has ended, but its parent has not yet waited for it. */
  readonly isZombie: boolean;
}

/**
 * USER_HZ, the unit of times in /proc: 100 on every Linux that Node runs on, whatever the kernel's
 * tick is.
 */
const ticksPerSecond = 100;

/** All processes of the machine: from /proc on Linux, else from `ps`. */
export async function listProcesses(): Promise<ProcessRow[]> {
  return process.platform === 'linux' ? listFromProc() : listFromPs();
}

/** One process, or null if there is none with this pid or it has ended. */
export async function findProcess(pid: number): Promise<ProcessRow | null> {
  const row = process.platform === 'linux' ? await readStat(pid) : (await listFromPs(['-p', String(pid)])).find((each) => each.pid === pid);
  return row === undefined || row === null || row.isZombie ? null : row;
}

/**
 * The processes that `isKnown` selects, everything that they started, and what left their tree but
 * is still in one of their process groups or sessions. All must descend from one process that made
 * its own session: then none of these groups and sessions is a stranger's.
 */
export function selectFamily(rows: readonly ProcessRow[], isKnown: (row: ProcessRow) => boolean): ProcessRow[] {
  const children = Map.groupBy(rows, (row) => row.parent);
  const groups = Map.groupBy(rows, (row) => row.group);
  const sessions = Map.groupBy(rows, (row) => row.session);
  const found = new Map(rows.filter(isKnown).map((row) => [row.pid, row]));
  // A map is iterated in insertion order, including entries added meanwhile. So this visits every
  // generation.
  for (const { pid, group, session } of found.values()) {
    const relatives = [children.get(pid), groups.get(group), session === 0 ? [] : sessions.get(session)];
    for (const row of relatives.flatMap((each) => each ?? [])) found.set(row.pid, row);
  }
  return [...found.values()];
}

/**
 * Whether a process was started with this variable, `NAME=value`. False where the system does not
 * say.
 */
export async function hasVariable(pid: number, variable: string): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
  return environment.split('\0').includes(variable);
}

/**
 * Sends a signal. False if there is no such process (any more) or we may not signal it. A negative
 * pid is a process group, as for kill(2).
 */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

async function listFromProc(): Promise<ProcessRow[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const rows = await Promise.all(pids.map(readStat));
  return rows.filter((row) => row !== null);
}

async function readStat(pid: number): Promise<ProcessRow | null> {
  // It may have ended since the folder was listed.
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => null);
  return stat === null ? null : parseStat(stat);
}

/**
 * Parses a line of /proc/<pid>/stat (proc(5)). The second field is the program's name in
 * parentheses, and may contain spaces and parentheses.
 */
export function parseStat(stat: string): ProcessRow | null {
  const nameEnd = stat.lastIndexOf(')');
  const pid = Number.parseInt(stat, 10);
  // From the third field on: field n of the manual is fields[n - 3].
  const fields = stat.slice(nameEnd + 2).split(' ');
  const [state, parent, group, session] = fields;
  const startedAt = fields[19];
  if (nameEnd < 0 || Number.isNaN(pid) || startedAt === undefined) return null;
  // utime, stime, and the same of ended children, so a child that ends between two samples is not
  // lost.
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    cpuSeconds: ticks / ticksPerSecond,
    startedAt,
    isZombie: state === 'Z',
  };
}

async function listFromPs(selection: readonly string[] = ['-A']): Promise<ProcessRow[]> {
  const columns = ['-o', 'pid=', '-o', 'ppid=', '-o', 'pgid=', '-o', 'state=', '-o', 'time=', '-o', 'lstart='];
  // `ps -p` exits with 1 if there is no such process.
  const { stdout } = await run('ps', [...selection, ...columns], { env: { ...passEnvironment(process.env), LC_ALL: 'C' } }).catch(() => ({
    stdout: '',
  }));
  return parsePs(stdout);
}

/** The output of `ps -o pid=,ppid=,pgid=,state=,time=,lstart=`. */
export function parsePs(output: string): ProcessRow[] {
  return output
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S+)\s+(.+?)\s*$/.exec(line))
    .filter((match) => match !== null)
    .map(([, pid, parent, group, state, time, startedAt]) => ({
      pid: Number(pid),
      parent: Number(parent),
      group: Number(group),
      session: 0,
      cpuSeconds: parseCpuTime(time ?? ''),
      startedAt: startedAt ?? '',
      isZombie: state?.startsWith('Z') ?? false,
    }));
}

/** Parses `[[days-]hours:]minutes:seconds[.hundredths]`, as ps writes CPU time. */
function parseCpuTime(text: string): number {
  const [days, clock] = text.includes('-') ? text.split('-', 2) : ['0', text];
  const seconds = (clock ?? '0').split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return Number(days) * 86_400 + seconds;
}
