/** The files of fragments, according to the tables of a backup. */
import type { BackupRow, BackupTable } from '../store/backup-format.ts';
import type { FileKey, FileStore } from '../store/files/file-store.ts';
import { BackupRefused } from './manifest.ts';
import { hashOf } from './table-files.ts';

export interface StoredFragment extends FileKey {
  readonly sizeBytes: number;
}

const ID = /^frag_[0-9a-z]{26}$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** Reads from a row which file must exist. Null: none. */
export function fragmentOf({ columns }: BackupTable): (row: BackupRow) => StoredFragment | null {
  const at = (name: string) => columns.findIndex((column) => column.name === name);
  const [id, status, sha256, sizeBytes] = [at('id'), at('status'), at('sha256'), at('size_bytes')];
  return (row) => {
    if (row[status] !== 'READY') return null;
    const fragment = { id: String(row[id]), sha256: String(row[sha256]), sizeBytes: Number(row[sizeBytes]) };
    if (!ID.test(fragment.id) || !SHA256.test(fragment.sha256))
      throw new BackupRefused(`The fragment ${fragment.id} has an invalid file name.`);
    return fragment;
  };
}

/** Throws BackupRefused if the file is missing or differs from its key's hash. */
export async function verifyFragment(files: FileStore, fragment: StoredFragment): Promise<void> {
  const { id, sha256, sizeBytes } = fragment;
  const found = await hashOf(files.read(fragment)).catch(() => null);
  if (found === null) throw new BackupRefused(`The backup is incomplete: the file of fragment ${id} is missing.`);
  if (found.sha256 !== sha256 || found.sizeBytes !== sizeBytes)
    throw new BackupRefused(`The backup is damaged: the file of fragment ${id} differs from what was written.`);
}
