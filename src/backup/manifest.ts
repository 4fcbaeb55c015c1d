/** A backup's description: `manifest.json`, written last. A folder without it is not a backup. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupTable } from '../store/backup-format.ts';

/** The format of the whole folder. A program reads formats up to its own. */
export const FORMAT = 1;
export const MANIFEST = 'manifest.json';

export interface TableEntry extends BackupTable {
  readonly rows: number;
  /** The size of the compressed file. */
  readonly sizeBytes: number;
  readonly sha256: string;
}

export interface Manifest {
  readonly format: number;
  /** RFC 3339. The time of the snapshot. */
  readonly takenAt: string;
  /** The identity of the source database. */
  readonly database: string;
  /** How many migrations led to its tables. */
  readonly migrations: number;
  /** In an order in which they can be restored. */
  readonly tables: readonly TableEntry[];
  readonly fragments: {
    readonly count: number;
    readonly sizeBytes: number;
    /**
     * Ids of fragments deleted while the backup was taken: it has their rows, but not their bytes.
     */
    readonly missing: readonly string[];
  };
}

/** The backup cannot be taken or restored. The message is one line, and nothing was changed. */
export class BackupRefused extends Error {}

export const tableFile = (folder: string, name: string): string => join(folder, 'tables', `${name}.ndjson.gz`);

/** Reads and checks the manifest. Throws BackupRefused. */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, MANIFEST);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR')
      throw new BackupRefused(`${folder} is not a backup, or an unfinished one: it has no ${MANIFEST}.`);
    throw new BackupRefused(`${path} cannot be read: ${error.message}.`);
  });
  const manifest = parse(text);
  if (manifest === null) throw new BackupRefused(`${path} is damaged.`);
  if (manifest.format > FORMAT)
    throw new BackupRefused(
      `${folder} was made by a newer version of Trainyard (format ${manifest.format}); restore it with that version.`,
    );
  if (!isManifest(manifest)) throw new BackupRefused(`${path} is damaged.`);
  return manifest;
}

function parse(text: string): (Record<string, unknown> & { format: number }) | null {
  try {
    const value: unknown = JSON.parse(text);
    return value instanceof Object && 'format' in value && typeof value.format === 'number' ? { ...value, format: value.format } : null;
  } catch {
    return null;
  }
}

const NAME = /^[a-z][a-z0-9_]{0,62}$/;
const kinds: readonly string[] = ['text', 'whole', 'real', 'bool', 'instant', 'json'];
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

/** Table and column names become SQL and ids become paths, so only valid names are accepted. */
function isManifest(value: object): value is Manifest {
  const { takenAt, database, migrations, tables, fragments } = value as Partial<Record<keyof Manifest, unknown>>; // each is looked at
  if (typeof takenAt !== 'string' || typeof database !== 'string' || !isCount(migrations)) return false;
  if (!Array.isArray(tables) || !tables.every(isTable)) return false;
  if (!(fragments instanceof Object) || !('count' in fragments) || !('sizeBytes' in fragments) || !('missing' in fragments)) return false;
  const { count, sizeBytes, missing } = fragments;
  return isCount(count) && isCount(sizeBytes) && Array.isArray(missing) && missing.every((id) => typeof id === 'string');
}

function isTable(value: unknown): value is TableEntry {
  if (!(value instanceof Object)) return false;
  const { name, columns, rows, sizeBytes, sha256 } = value as Partial<Record<keyof TableEntry, unknown>>; // each is looked at
  if (typeof name !== 'string' || !NAME.test(name) || !isCount(rows) || !isCount(sizeBytes) || typeof sha256 !== 'string') return false;
  return Array.isArray(columns) && columns.every(({ name, kind }) => NAME.test(String(name)) && kinds.includes(String(kind)));
}
