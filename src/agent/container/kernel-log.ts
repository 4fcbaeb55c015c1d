/** What the kernel says of processes that it has ended for want of memory. */
import { closeSync, constants, openSync, readSync } from 'node:fs';

/** A process that the kernel killed because memory ran out: its own group's, or the machine's. */
export interface MemoryKill {
  readonly pid: number;
  /** The path of its control group for memory; a container's holds the container's id. */
  readonly cgroup: string;
}

/** Of a record, the longest that the kernel makes. */
const LONGEST_RECORD = 8_192;

/** Those that the kernel's log still tells of; none where there is no such log, or it may not be read. */
export function listMemoryKills(): MemoryKill[] {
  const kills: MemoryKill[] = [];
  for (const record of readKernelLog()) {
    const kill = parseMemoryKill(record);
    if (kill !== null) kills.push(kill);
  }
  return kills;
}

/** `…oom-kill:constraint=CONSTRAINT_MEMCG,…,oom_memcg=/a,task_memcg=/a/b,task=python3,pid=12,uid=0`; null for all else. */
export function parseMemoryKill(record: string): MemoryKill | null {
  const match = /oom-kill:constraint=.*,task_memcg=(.*),task=.*,pid=(\d+),uid=\d+/.exec(record);
  return match === null ? null : { cgroup: match[1] ?? '', pid: Number(match[2]) };
}

function* readKernelLog(): Generator<string> {
  let file: number;
  try {
    file = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return;
  }
  const buffer = Buffer.alloc(LONGEST_RECORD);
  try {
    for (;;) {
      try {
        // One record a read.
        yield buffer.toString('utf8', 0, readSync(file, buffer));
      } catch (error) {
        // EPIPE: what came next was overwritten; the one after it is read. All else, EAGAIN first of all, is the end.
        if ((error as NodeJS.ErrnoException).code !== 'EPIPE') return; // what node:fs throws
      }
    }
  } finally {
    closeSync(file);
  }
}
