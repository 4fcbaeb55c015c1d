import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { passEnvironment } from './environment.ts';

const run = promisify(execFile);

/** What the operating system says of one process. */
export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** 0 where the system does not tell. */
  readonly session: number;
  /** CPU time that it and the children that it has waited for have used so far. */
  readonly cpuSeconds: number;
  /** When it was started, in a form that is only good for comparing: a pid with another value is another process. */
  readonly startedAt: string;
  /** It has ended, and only waits for its parent to ask how. */
  readonly isZombie: boolean;
}

/** USER_HZ, the unit of the times in /proc: 100 on every Linux that Node runs on, whatever the kernel's own tick is. */
const ticksPerSecond = 100;

/** All processes of the machine: from /proc where there is one, else from `ps`. */
export async function listProcesses(): Promise<ProcessRow[]> {
  return process.platform === 'linux' ? listFromProc() : listFromPs();
}

/** One process, or null when there is none with this pid, or it has ended. */
export async function findProcess(pid: number): Promise<ProcessRow | null> {
  const row = process.platform === 'linux' ? await readStat(pid) : (await listFromPs(['-p', String(pid)])).find((each) => each.pid === pid);
  return row === undefined || row === null || row.isZombie ? null : row;
}

/**
 * The processes that `isKnown` names, with everything that they started, and what has left their tree but is still in a process group or a session of
 * theirs. All of them have to descend from one process that has made a session of its own: then no group or session of theirs is a stranger's.
 */
export function selectFamily(rows: readonly ProcessRow[], isKnown: (row: ProcessRow) => boolean): ProcessRow[] {
  const children = Map.groupBy(rows, (row) => row.parent);
  const groups = Map.groupBy(rows, (row) => row.group);
  const sessions = Map.groupBy(rows, (row) => row.session);
  const found = new Map(rows.filter(isKnown).map((row) => [row.pid, row]));
  // A map is walked in order of insertion, what is added on the way included: this visits every generation.
  for (const { pid, group, session } of found.values()) {
    const relatives = [children.get(pid), groups.get(group), session === 0 ? [] : sessions.get(session)];
    for (const row of relatives.flatMap((each) => each ?? [])) found.set(row.pid, row);
  }
  return [...found.values()];
}

/** Whether a process was started with this variable, `NAME=value`. False where the system does not tell, or not of this process. */
export async function hasVariable(pid: number, variable: string): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
  return environment.split('\0').includes(variable);
}

/** Sends a signal; false when there is no such process (any more), or it is not ours to signal. A negative pid is a process group, as for kill(2). */
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

/** A line of /proc/<pid>/stat (proc(5)). Its second field is the program's name in parentheses, which may hold spaces and parentheses itself. */
export function parseStat(stat: string): ProcessRow | null {
  const nameEnd = stat.lastIndexOf(')');
  const pid = Number.parseInt(stat, 10);
  // From the third field on; so field n of the manual is fields[n - 3].
  const fields = stat.slice(nameEnd + 2).split(' ');
  const [state, parent, group, session] = fields;
  const startedAt = fields[19];
  if (nameEnd < 0 || Number.isNaN(pid) || startedAt === undefined) return null;
  // utime, stime and the same of the children that ended: so a child that ends between two samples is not lost.
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
  // `ps -p` ends with 1 when there is no such process.
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

/** `[[days-]hours:]minutes:seconds[.hundredths]`, as ps writes a CPU time. */
function parseCpuTime(text: string): number {
  const [days, clock] = text.includes('-') ? text.split('-', 2) : ['0', text];
  const seconds = (clock ?? '0').split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return Number(days) * 86_400 + seconds;
}
