/** What it takes on top of writing for files and folders to be there after a power loss. */
import { closeSync, constants, fsyncSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Makes a folder and those above it that are missing, for their owner alone. A name is durable only when the folder that holds it is: each of those is synced. */
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
 * Makes all of a file durable that can be read of it, whatever a process before this one came to. A sync alone does not: one that failed leaves
 * what it should have written marked as written, and the next one says that all is well. Does nothing when there is no such file.
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
