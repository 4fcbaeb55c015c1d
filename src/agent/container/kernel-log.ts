/** Reads out-of-memory kills from the kernel's log. */
import { closeSync, constants, openSync, readSync } from 'node:fs';

/**
 * A process that the kernel killed because its control group, or the machine, ran out of memory.
 */
export interface MemoryKill {
  readonly pid: number;
  /** The path of its memory control group. A container's contains the container's id. */
  readonly cgroup: string;
}

/** The longest record that the kernel writes. */
const LONGEST_RECORD = 8_192;

/**
 * The kills that are still in the kernel's log. Empty where there is no log or it may not be read.
 */
export function listMemoryKills(): MemoryKill[] {
  const kills: MemoryKill[] = [];
  for (const record of readKernelLog()) {
    const kill = parseMemoryKill(record);
    if (kill !== null) kills.push(kill);
  }
  return kills;
}

/**
 * Parses
 * `…oom-kill:constraint=CONSTRAINT_MEMCG,…,oom_memcg=/a,task_memcg=/a/b,task=python3,pid=12,uid=0`.
 * Null for any other record.
 */
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
        // Each read returns one record.
        yield buffer.toString('utf8', 0, readSync(file, buffer));
      } catch (error) {
        // EPIPE: the next record was overwritten; go on with the one after it. Anything else,
        // usually EAGAIN, is the end.
        if ((error as NodeJS.ErrnoException).code !== 'EPIPE') return; // what node:fs throws
      }
    }
  } finally {
    closeSync(file);
  }
}
