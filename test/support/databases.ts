/** New databases for tests: a SQLite file in its own folder, or a database in a real PostgreSQL. */
import { connect } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeEach, describe, inject } from 'vitest';
import { openPostgres } from '../../src/store/postgres/store.ts';
import { openSqlite } from '../../src/store/sqlite/store.ts';
import type { Store } from '../../src/store/store.ts';
import { createFolder, removeFolder } from './folders.ts';
import { MIGRATED, password, user } from './postgres-account.ts';

export interface TestDatabase {
  readonly dialect: 'sqlite' | 'postgres';
  /** The data folder of `serve`, used by this database alone. */
  readonly folder: string;
  /** The SQLite file that `serve --data-dir` opens. It does not exist with PostgreSQL. */
  readonly file: string;
  /** postgres://…, or null for SQLite. */
  readonly url: string | null;
  /** Opens a store on it. It is closed with the database, if not before. */
  open(): Promise<Store>;
  remove(): Promise<void>;
}

export type Open = () => Promise<Store>;

/**
 * Runs the same tests on each database. `open` makes a new database and opens a store on it.
 * `create` makes only the database, empty or with its tables, for tests that open it more than
 * once. Databases are removed after the test that made them, or after the last test if made in
 * beforeAll.
 */
export function describeOnEachStore(
  name: string,
  define: (open: Open, create: (from?: 'empty' | 'migrated') => Promise<TestDatabase>, dialect: TestDatabase['dialect']) => void,
): void {
  describe.each([
    { dialect: 'sqlite', make: createSqliteDatabase },
    { dialect: 'postgres', make: createPostgresDatabase },
  ] as const)(`${name} ($dialect)`, ({ dialect, make }) => {
    const ofAll: TestDatabase[] = [];
    let current = ofAll;
    beforeEach(() => {
      current = [];
    });
    const removeAll = async (databases: TestDatabase[]) => {
      for (const database of databases.splice(0)) await database.remove();
    };
    afterEach(() => removeAll(current));
    afterAll(() => removeAll(ofAll));
    const create = async (from?: 'empty' | 'migrated') => {
      const database = await make(from);
      current.push(database);
      return database;
    };
    define(async () => (await create('migrated')).open(), create, dialect);
  });
}

/** Always empty: its tables are made in milliseconds. */
export async function createSqliteDatabase(): Promise<TestDatabase> {
  const folder = createFolder('sqlite');
  const file = join(folder, 'trainyard.sqlite');
  const opened: Store[] = [];
  return {
    dialect: 'sqlite',
    folder,
    file,
    url: null,
    async open() {
      const store = await openSqlite(file);
      opened.push(store);
      return store;
    },
    async remove() {
      for (const store of opened) await store.close();
      removeFolder(folder);
    },
  };
}

let nextNumber = 1;

export async function createPostgresDatabase(from: 'empty' | 'migrated' = 'empty'): Promise<TestDatabase> {
  const port = await findPort();
  const folder = createFolder('postgres');
  const name = `test_${process.pid}_${nextNumber++}`;
  await administer(port, `create database ${name} template ${from === 'migrated' ? MIGRATED : 'template0'}`);
  const url = urlOf(port, name);
  const opened = new Set<Store>();
  return {
    dialect: 'postgres',
    folder,
    file: '',
    url,
    async open() {
      const store = await openPostgres(url);
      opened.add(store);
      const close = store.close.bind(store);
      store.close = () => (opened.delete(store) ? close() : Promise.resolve());
      return store;
    },
    async remove() {
      for (const store of opened) await store.close();
      await administer(port, `drop database if exists ${name} with (force)`);
      removeFolder(folder);
    },
  };
}

const urlOf = (port: number, database: string) => `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;

/** Runs one statement on its own connection. */
export async function querySql(url: string, text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text, values)).rows;
  } finally {
    await client.end();
  }
}

/** Kept by the worker: to connect takes as long as to create a database. */
let administration: pg.Pool | undefined;

async function administer(port: number, text: string): Promise<void> {
  if (!administration) {
    administration = new pg.Pool({ connectionString: urlOf(port, 'postgres'), idleTimeoutMillis: 0, allowExitOnIdle: true });
    administration.on('error', () => {}); // it is replaced at the next statement
  }
  await administration.query(text);
}

let port: Promise<number> | undefined;

const findPort = () => (port ??= askForPort());

async function askForPort(): Promise<number> {
  const socket = connect(inject('postgresLookupPort'), '127.0.0.1').setEncoding('utf8');
  let answer = '';
  for await (const part of socket) answer += part;
  if (!/^\d+$/.test(answer)) throw new Error(answer);
  return Number(answer);
}
