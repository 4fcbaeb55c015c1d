/** Copies files from one store into another, for backups and restores. */
import { DiskFiles } from './disk.ts';
import { type FileKey, FileMissing, type FileStore } from './file-store.ts';

export interface CopyOptions {
  /** Whether a copy may be a hard link, if both stores allow it. */
  readonly isLinked: boolean;
  readonly signal: AbortSignal;
}

/** Copies these files durably. Returns those that do not exist. */
export async function copyFiles<T extends FileKey>(
  from: FileStore,
  to: FileStore,
  files: Iterable<T>,
  { isLinked, signal }: CopyOptions,
): Promise<T[]> {
  const missing: T[] = [];
  for (const file of files) {
    signal.throwIfAborted();
    const isThere =
      from instanceof DiskFiles && to instanceof DiskFiles ? await to.copyFrom(from, file, isLinked) : await stream(from, to, file);
    if (!isThere) missing.push(file);
  }
  if (to instanceof DiskFiles) to.syncNames();
  return missing;
}

async function stream(from: FileStore, to: FileStore, key: FileKey): Promise<boolean> {
  try {
    const received = await to.receive(key.id, from.read(key), Number.POSITIVE_INFINITY);
    await received.keep();
    return true;
  } catch (error) {
    if (error instanceof FileMissing) return false;
    throw error;
  }
}
