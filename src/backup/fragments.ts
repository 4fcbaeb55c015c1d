/** The files of fragments, on their way into a backup and out of it. They never change, and their names hold their SHA-256. */
import { constants, mkdirSync } from 'node:fs';
import { access, copyFile, link, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BackupRow, BackupTable } from '../store/backup-format.ts';
import { fragmentPath } from '../store/files/disk.ts';
import { makeFolder, syncFolder } from '../store/files/durable.ts';
import { BackupRefused } from './manifest.ts';
import { hashFile } from './table-files.ts';

export interface StoredFragment {
  readonly id: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

const ID = /^frag_[0-9a-z]{26}$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** Reads off a row of the table which file there must be: null, none. */
export function fragmentOf({ columns }: BackupTable): (row: BackupRow) => StoredFragment | null {
  const at = (name: string) => columns.findIndex((column) => column.name === name);
  const [id, status, sha256, sizeBytes] = [at('id'), at('status'), at('sha256'), at('size_bytes')];
  return (row) => {
    if (row[status] !== 'READY') return null;
    const fragment = { id: String(row[id]), sha256: String(row[sha256]), sizeBytes: Number(row[sizeBytes]) };
    if (!ID.test(fragment.id) || !SHA256.test(fragment.sha256))
      throw new BackupRefused(`The fragment ${fragment.id} has no file that could be named.`);
    return fragment;
  };
}

/**
 * Takes a fragment's file into a backup: as another name of the same file where the file system can (`isLinked`), which costs neither time nor room; else as a
 * copy. Answers whether it was there.
 */
export async function takeFragment(from: string, to: string, { id, sha256 }: StoredFragment, isLinked: boolean): Promise<boolean> {
  const path = fragmentPath(id, sha256);
  const [source, target] = [join(from, path), join(to, path)];
  mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
  try {
    if (!isLinked) await copyDurably(source, target);
    else
      await link(source, target).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') throw error;
        // Another file system, or one without links.
        return copyDurably(source, target);
      });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

/** Puts a file into a store, whole or not at all. One that is there already, from a restore that was cut off, is put there again. */
export async function putFragment(from: string, to: string, { id, sha256 }: StoredFragment): Promise<void> {
  const path = fragmentPath(id, sha256);
  const target = join(to, path);
  // As an upload's: what is left of one is swept when a gateway starts.
  const part = `${target}.part`;
  makeFolder(dirname(target));
  await rm(part, { force: true });
  await copyDurably(join(from, path), part);
  await rename(part, target);
  syncFolder(dirname(target));
}

/** Throws BackupRefused when the file is not there, or not what its name says. */
export async function verifyFragment(folder: string, { id, sha256, sizeBytes }: StoredFragment): Promise<void> {
  const path = join(folder, fragmentPath(id, sha256));
  const found = await hashFile(path);
  if (found === null) throw new BackupRefused(`The backup is not whole: ${path} is missing.`);
  if (found.sha256 !== sha256 || found.sizeBytes !== sizeBytes)
    throw new BackupRefused(`The backup is damaged: ${path} is not what was written.`);
}

export const dropFragment = (folder: string, { id, sha256 }: StoredFragment): Promise<void> =>
  rm(join(folder, fragmentPath(id, sha256)), { force: true });

async function copyDurably(source: string, target: string): Promise<void> {
  await access(source);
  await copyFile(source, target, constants.COPYFILE_FICLONE);
  const file = await open(target, 'r+');
  try {
    await file.chmod(0o600);
    await file.sync();
  } finally {
    await file.close();
  }
}
