/** A table as a file: one row per line, a JSON array in column order, compressed. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { compose, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGunzip, createGzip } from 'node:zlib';
import type { BackupRow, BackupTable } from '../store/backup-format.ts';
import type { StoredFile } from '../store/files/file-store.ts';
import { BackupRefused, type TableEntry, tableFile } from './manifest.ts';

/** Rows that are passed on at once when a file is read. */
const ROWS_AT_ONCE = 500;

/** Writes a table and syncs it. `look` sees each row. */
export async function writeTable(
  folder: string,
  table: BackupTable,
  batches: AsyncIterable<readonly BackupRow[]>,
  { look, signal }: { look?: (row: BackupRow) => void; signal: AbortSignal },
): Promise<TableEntry> {
  let rows = 0;
  let sizeBytes = 0;
  const hash = createHash('sha256');
  async function* lines() {
    for await (const batch of batches) {
      rows += batch.length;
      if (look) batch.forEach(look);
      yield Buffer.from(batch.map((row) => `${JSON.stringify(row)}\n`).join(''));
    }
  }
  async function* hashed(chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      sizeBytes += chunk.length;
      hash.update(chunk);
      yield chunk;
    }
  }
  // The fastest level: the next ones take three times as long for a tenth less.
  const gzip = createGzip({ level: constants.Z_BEST_SPEED });
  const file = createWriteStream(tableFile(folder, table.name), { mode: 0o600, flags: 'wx', flush: true });
  await pipeline(Readable.from(lines(), { objectMode: false }), gzip, hashed, file, { signal });
  return { ...table, rows, sizeBytes, sha256: hash.digest('hex') };
}

/** Checks that the file is the one that was written. Throws BackupRefused. */
export async function verifyTable(folder: string, { name, sizeBytes, sha256 }: TableEntry): Promise<void> {
  const path = tableFile(folder, name);
  const found = await hashOf(createReadStream(path, { highWaterMark: 1_048_576 })).catch(() => null);
  if (found === null) throw new BackupRefused(`The backup is incomplete: ${path} is missing.`);
  if (found.sizeBytes !== sizeBytes || found.sha256 !== sha256)
    throw new BackupRefused(`The backup is damaged: ${path} differs from what was written.`);
}

export async function hashOf(bytes: AsyncIterable<Uint8Array>): Promise<StoredFile> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of bytes) {
    sizeBytes += chunk.length;
    hash.update(chunk);
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}

/** Yields the rows of a verified file, some hundreds at a time. */
export async function* readTable(folder: string, { name, columns, rows: expected }: TableEntry): AsyncGenerator<BackupRow[]> {
  const decoder = new TextDecoder();
  let count = 0;
  let rest = '';
  let rows: BackupRow[] = [];
  const damaged = () => new BackupRefused(`The backup is damaged: ${tableFile(folder, name)} does not contain what the manifest says.`);
  for await (const chunk of compose(createReadStream(tableFile(folder, name)), createGunzip())) {
    // Without readline, which also splits at other characters.
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const row: unknown = JSON.parse(line);
      if (!Array.isArray(row) || row.length !== columns.length) throw damaged();
      rows.push(row);
      count++;
      if (rows.length < ROWS_AT_ONCE) continue;
      yield rows;
      rows = [];
    }
  }
  if (rows.length > 0) yield rows;
  if (count !== expected || rest !== '') throw damaged();
}
