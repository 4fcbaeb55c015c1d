/**
 * strace, to watch a process and to make its calls fail. It is a Linux package; tests that need it
 * are skipped without it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** Why strace cannot be used here, as a sentence; null if it can. */
export function whyNoStrace(): string | null {
  if (process.platform !== 'linux') return 'strace is a tool of Linux.';
  const tried = spawnSync('strace', ['-f', '-qq', '-e', 'trace=none', 'true'], { encoding: 'utf8' });
  if (tried.error) return 'strace is not installed.';
  return tried.status === 0 ? null : `strace may not trace here: ${tried.stderr.trim()}`;
}

/** The calls that change files, and those that make changes durable. */
const FILE_CALLS = [
  ...['openat', 'write', 'writev', 'pwrite64', 'pwritev', 'ftruncate', 'fallocate', 'fsync', 'fdatasync'],
  ...['rename', 'renameat', 'renameat2', 'unlink', 'unlinkat', 'mkdir', 'mkdirat', 'rmdir', 'link', 'linkat', 'copy_file_range'],
];
/** The longest recorded write. The product's longest is a chunk of an upload. */
const LONGEST_WRITE = 1_048_576;

/**
 * The prefix of a command that records all its file changes with their data, for `readTrace`. The
 * tracer is detached: the started process is the traced one, so signals reach it. `injections` are
 * strace's own, like `fsync:error=EIO:when=7`. `paths` limits them, and the record, to these files.
 */
export function recordInto(trace: string, { injections = [], paths = [] }: Injected = {}): string[] {
  return ['strace', '-D', '-f', '-y', '-xx', '-ttt', '-T', '-qq', '-s', String(LONGEST_WRITE), '--signal=none', '-o', trace].concat(
    ['-e', `trace=${FILE_CALLS.join(',')}`],
    injections.flatMap((injection) => ['-e', `inject=${injection}`]),
    paths.flatMap((path) => ['-P', path]),
  );
}

export interface Injected {
  readonly injections?: readonly string[];
  readonly paths?: readonly string[];
}

/**
 * Makes calls of a running process fail, counted from now: `when=1` is the very next one. Only
 * calls on one of `paths` count. Resolves once it is attached; `detach` leaves the process as it
 * was.
 */
export async function inject(pid: number, trace: string, injections: readonly string[], paths: readonly string[]): Promise<Injection> {
  const calls = injections.map((injection) => injection.split(':', 1)[0]);
  const args = [
    '-f',
    '-y',
    '-ttt',
    '-T',
    '-qq',
    '-s',
    '0',
    '--signal=none',
    '-o',
    trace,
    '-p',
    String(pid),
    '-e',
    `trace=${calls.join(',')}`,
  ].concat(
    injections.flatMap((injection) => ['-e', `inject=${injection}`]),
    paths.flatMap((path) => ['-P', path]),
  );
  const child = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (said += text));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  while (tracerOf(pid) !== child.pid) {
    if (child.exitCode !== null) throw new Error(`strace did not attach: ${said}`);
    await pause(5);
  }
  return {
    happened: () =>
      existsSync(trace)
        ? readFileSync(trace, 'utf8')
            .split('\n')
            .filter((line) => line.includes('(INJECTED)')).length
        : 0,
    async detach() {
      child.kill('SIGINT');
      await ended;
    },
  };
}

export interface Injection {
  /** The number of calls that have failed so far. */
  happened(): number;
  detach(): Promise<void>;
}

/** Resolves when the tracer of an ended process has written everything. */
export async function tracerIsGone(trace: string): Promise<void> {
  while (spawnSync('pgrep', ['-f', trace]).status === 0) await pause(20);
}

function tracerOf(pid: number): number {
  try {
    return Number(/^TracerPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
