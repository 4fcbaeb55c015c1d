/** Copying files from one store into another: how they get into a backup, and out of it. */
import { DiskFiles } from './disk.ts';
import { type FileKey, FileMissing, type FileStore } from './file-store.ts';

export interface CopyOptions {
  /** Whether a copy may be another name of the same file, where both stores can do that. */
  readonly isLinked: boolean;
  readonly signal: AbortSignal;
}

/** Copies these files durably. Returns those that were not there. */
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
