/**
 * Files in a table of a database, without folder or path. It shows that the interface needs
 * neither.
 */
import { createHash, randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import SqliteDatabase from 'better-sqlite3';
import {
  type BlockingFile,
  type ByteRange,
  type FileKey,
  FileMissing,
  type FileStore,
  type OpenFile,
  type ReceivedFile,
  RemovedMeanwhile,
  type SharedFile,
  TooManyBytes,
} from '../../../src/store/files/file-store.ts';

const schema = `
  create table if not exists files (id text, sha256 text, bytes blob, primary key (id, sha256));
  create table if not exists uploads (upload text primary key, id text, writtenAt integer);`;

/** The result of `share`. */
interface Shared extends FileKey {
  readonly database: string;
}

export class TableFiles implements FileStore {
  readonly #file: string;
  readonly #database: SqliteDatabase.Database;
  readonly #coming = new Set<string>();

  constructor(file: string) {
    this.#file = file;
    this.#database = new SqliteDatabase(file);
    this.#database.pragma('journal_mode = WAL');
    this.#database.exec(schema);
  }

  async receive(id: string, bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, atMost: number): Promise<ReceivedFile> {
    const upload = randomUUID();
    const end = () => {
      this.#coming.delete(upload);
      return this.#run('delete from uploads where upload = ?', upload) > 0;
    };
    this.#coming.add(upload);
    this.#run('insert into uploads values (?, ?, ?)', upload, id, Date.now());
    try {
      const content = await buffer(limited(bytes, atMost));
      const file = { sizeBytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
      const keep = this.#database.transaction(() => {
        if (!end()) throw new RemovedMeanwhile();
        this.#run('insert or replace into files values (?, ?, ?)', id, file.sha256, content);
      });
      return { file, keep: async () => keep(), drop: async () => void end() };
    } catch (error) {
      end();
      throw error;
    }
  }

  async *read(key: FileKey, { start, end }: ByteRange = { start: 0, end: Number.MAX_SAFE_INTEGER - 1 }): AsyncGenerator<Buffer> {
    yield part(this.#database, key, start, end - start + 1);
  }

  async open(key: FileKey): Promise<OpenFile> {
    part(this.#database, key, 0, 0);
    return { read: async (position, length) => part(this.#database, key, position, length), close: async () => {} };
  }

  share({ id, sha256 }: FileKey): SharedFile {
    return { module: import.meta.url, where: { id, sha256, database: this.#file } satisfies Shared };
  }

  async removeFile({ id, sha256 }: FileKey): Promise<void> {
    this.#run('delete from files where id = ? and sha256 = ?', id, sha256);
  }

  async remove(id: string): Promise<void> {
    for (const table of ['files', 'uploads']) this.#run(`delete from ${table} where id = ?`, id);
  }

  async sweep(before: Date | null): Promise<void> {
    const coming = JSON.stringify([...this.#coming]);
    const old = before === null ? Number.MAX_SAFE_INTEGER : before.getTime();
    this.#run('delete from uploads where writtenAt < ? and upload not in (select value from json_each(?))', old, coming);
  }

  #run(statement: string, ...values: unknown[]): number {
    return this.#database.prepare(statement).run(...values).changes;
  }
}

/** Opens the result of `share`. @public `openShared` imports it by the address of this module. */
export async function openHere(where: unknown): Promise<BlockingFile> {
  const { database: file, ...key } = where as Shared; // what `share` gave out
  const database = new SqliteDatabase(file, { readonly: true });
  return {
    sizeBytes: part(database, key, 0, Number.MAX_SAFE_INTEGER).length,
    read: (position, bytes) => part(database, key, position, bytes.length).copy(bytes),
    close: () => void database.close(),
  };
}

function part(database: SqliteDatabase.Database, { id, sha256 }: FileKey, position: number, length: number): Buffer {
  const found = database.prepare('select substr(bytes, ?, ?) from files where id = ? and sha256 = ?').pluck();
  const bytes = found.get(position + 1, length, id, sha256);
  if (bytes === undefined) throw new FileMissing();
  return Buffer.isBuffer(bytes) ? bytes : Buffer.alloc(0);
}

async function* limited(bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, atMost: number): AsyncGenerator<Uint8Array> {
  let count = 0;
  for await (const chunk of bytes) {
    count += chunk.length;
    if (count > atMost) throw new TooManyBytes(atMost, count);
    yield chunk;
  }
}
