/** Makes files and folders survive a power loss after they are written. */
import { closeSync, constants, fsyncSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Creates a folder and its missing parents, for their owner alone. A name is durable only when its
 * folder is synced, so each of those is.
 */
export function makeFolder(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  const topmost = dirname(resolve(first));
  for (let folder = dirname(resolve(path)); folder.length >= topmost.length; folder = dirname(folder)) {
    syncFolder(folder);
    if (folder === topmost) break;
  }
}

export function syncFolder(path: string): void {
  const folder = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

const COPIED_AT_ONCE = 1_048_576;

/**
 * Makes everything durable that can be read from a file, whatever an earlier process did to it. A
 * sync alone does not: after a failed sync the pages count as written, and the next sync succeeds
 * without writing them. Does nothing if there is no such file.
 */
export function writeAnew(path: string): void {
  const file = openExisting(path);
  if (file === null) return;
  try {
    const buffer = Buffer.alloc(COPIED_AT_ONCE);
    for (let offset = 0; ; ) {
      const length = readSync(file, buffer, 0, buffer.length, offset);
      if (length === 0) break;
      for (let written = 0; written < length; ) written += writeSync(file, buffer, written, length - written, offset + written);
      offset += length;
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function openExisting(path: string): number | null {
  try {
    return openSync(path, constants.O_RDWR);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
