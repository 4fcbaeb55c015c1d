/**
 * A small disk to fill: a file system in memory, mounted where only processes started on it see it.
 * Needs no privileges on Linux.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, cpSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Why such a disk cannot be made here, as a sentence; null if it can. */
export function whyNoSmallDisk(): string | null {
  if (process.platform !== 'linux') return 'it takes Linux.';
  const tried = spawnSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs -o size=1m none /mnt'], { encoding: 'utf8' });
  if (tried.error) return 'unshare is not installed.';
  return tried.status === 0 ? null : `nothing can be mounted: ${tried.stderr.trim()}`;
}

export interface SmallDisk {
  /** The prefix that starts a command where the disk is mounted, in the checkout's folder. */
  readonly before: readonly string[];
  /** Takes all free space. */
  fill(): void;
  /** Frees it. */
  relieve(): void;
  /**
   * Copies its content to a folder. SQLite follows links, and would open what lies under the mount.
   */
  copyTo(target: string): void;
  /** Removes the disk with its content. */
  remove(): Promise<void>;
}

/** Mounts it at `folder`, which must exist. */
export async function makeSmallDisk(folder: string, megabytes: number): Promise<SmallDisk> {
  const mount = `mount -t tmpfs -o size=${megabytes}m none "$0" && echo mounted && cat`;
  const holder = spawn('unshare', ['-rm', 'sh', '-c', mount, folder], { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] });
  await said(holder);
  const path = join('/proc', String(holder.pid), 'root', folder);
  const ballast = join(path, 'ballast');
  return {
    before: ['nsenter', '-t', String(holder.pid), '-U', '-m', '--wd', '--preserve-credentials'],
    fill() {
      const file = openSync(ballast, 'a');
      try {
        // Smaller pieces each time, down to the last page.
        for (let size = 1_048_576; size >= 4_096; size /= 2) writeWhileThereIsRoom(file, size);
      } finally {
        closeSync(file);
      }
    },
    relieve: () => rmSync(ballast, { force: true }),
    copyTo: (target) => cpSync(path, target, { recursive: true }),
    async remove() {
      const ended = new Promise((resolve) => holder.once('close', resolve));
      holder.stdin?.end();
      await ended;
      mkdirSync(folder, { recursive: true });
    },
  };
}

function writeWhileThereIsRoom(file: number, size: number): void {
  const piece = Buffer.alloc(size, 1);
  try {
    while (writeSync(file, piece) === size);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  }
}

function said(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('close', (code) => reject(new Error(`The small disk ended with ${code}.`)));
  });
}
