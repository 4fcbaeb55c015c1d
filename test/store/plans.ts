/**
 * How a database would run a query, according to its planner, and which of its tables it would
 * scan.
 */
import SqliteDatabase from 'better-sqlite3';
import { getTableColumns, getTableName } from 'drizzle-orm';
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3';
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres';
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core';
import pg from 'pg';
import type { Tables } from '../../src/store/schema/tables.ts';
import { hideParameters } from '../../src/store/sqlite/statements.ts';
import { PreparedStatements } from '../../src/store/statements/prepared.ts';
import type { Database } from '../../src/store/store.ts';
import type { TestDatabase } from '../support/databases.ts';

/** Tables with a few thousand rows at most: scanning one does not get slower over the years. */
const SMALL = ['meta', 'projects', 'devices', 'applications', 'experiments', 'models', 'queues'];
/**
 * Partial indexes of unfinished work, or of few rows by design: as many as devices, timeouts and
 * admins, not jobs.
 */
const OF_NOW =
  /participants_open|steps_preemptible|steps_device|steps_reserved|steps_lease_expiry|jobs_deadline|rounds_deadline|api_keys_admin/;
const ROWS = 500;

export interface Planner {
  /** Records the queries built on it. `noted` returns their texts, once. */
  readonly queries: PreparedStatements;
  noted(): string[];
  /** The scans that the query would do, in the database's words. */
  readsWhole(text: string): Promise<string[]>;
  close(): Promise<void>;
}

/** On a store with some rows in each table, with ids x1, x2 … */
export async function openPlanner(database: TestDatabase): Promise<Planner> {
  const store = await database.open();
  const { tables, read } = store;
  const { dialect } = read;
  await store.close();
  const texts: string[] = [];
  const logger = { logQuery: (text: string) => texts.push(text) };
  const noted = () => texts.splice(0);
  const grown = new Set<string>(Object.values(tables).map(getTableName));
  for (const name of SMALL) grown.delete(name);
  if (database.url === null) {
    const file = new SqliteDatabase(database.file);
    file.pragma('foreign_keys = OFF');
    for (const text of fillings(tables, 'sqlite')) file.exec(text);
    file.function('next_position', () => 1);
    // Casts: as in sqlite.ts and postgres.ts.
    const db = drizzleSqlite(file, { casing: 'snake_case', logger }) as unknown as Database;
    return {
      queries: new PreparedStatements(db, tables, dialect),
      noted,
      readsWhole: async (text) => sqliteReadsWhole(file, text, grown, tables),
      close: async () => void file.close(),
    };
  }
  const client = new pg.Client({ connectionString: database.url, options: '-c session_replication_role=replica' });
  await client.connect();
  for (const text of fillings(tables, 'postgres')) await client.query(text);
  await client.query('analyze');
  // A small table is scanned whenever possible. With this setting, only if no index serves.
  await client.query('set enable_seqscan = off');
  return {
    queries: new PreparedStatements(drizzlePostgres(client, { casing: 'snake_case', logger }) as unknown as Database, tables, dialect),
    noted,
    readsWhole: (text) => postgresReadsWhole(client, text, grown),
    close: () => client.end(),
  };
}

/** Fills each table with arbitrary rows. One in fifty nullable values is not null. */
function fillings(tables: Tables, dialect: TestDatabase['dialect']): string[] {
  return Object.values(tables).map((table) => {
    const columns: AnySQLiteColumn[] = Object.values(getTableColumns(table));
    const values = columns.map((column) => {
      const value = valueFor(column, dialect);
      if (column.name === 'leaseHash') return 'null';
      return column.notNull || column.primary ? value : `case when i % 50 = 0 then ${value} end`;
    });
    const names = columns.map(({ name }) => `"${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}"`);
    return `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${ROWS})
      insert into ${getTableName(table)} (${names}) select ${values} from n where true on conflict do nothing`;
  });
}

function valueFor(column: AnySQLiteColumn, dialect: TestDatabase['dialect']): string {
  // Of the unfinished statuses, QUEUED can have the most rows.
  const word = column.enumValues?.find((value) => value === 'QUEUED') ?? column.enumValues?.at(-1);
  if (word !== undefined) return `'${word}'`;
  const type = column.getSQLType();
  if (type === 'json') return `cast('[]' as json)`;
  if (type === 'boolean') return 'false';
  if (type.startsWith('timestamp')) return `timestamptz '2026-01-01 00:00:00Z' + i * interval '1 second'`;
  if (dialect === 'sqlite' && column.columnType === 'SQLiteCustomColumn') return type === 'text' ? `'[]'` : 'i % 2';
  return type === 'text' ? `'x' || i` : 'i';
}

/** A condition on words alone does not narrow: a table may contain the same word in every row. */
function sqliteReadsWhole(file: SqliteDatabase.Database, text: string, grown: ReadonlySet<string>, tables: Tables): string[] {
  const plan = file.prepare<unknown[], { detail: string }>(`explain query plan ${hideParameters(text)}`);
  const parameters = Array.from({ length: [...text.matchAll(/\?/g)].length }, () => 1);
  const words = new Set(
    Object.values(tables)
      .flatMap((table): AnySQLiteColumn[] => Object.values(getTableColumns(table)))
      .filter(({ enumValues }) => enumValues !== undefined)
      .map(({ name }) => name),
  );
  return plan
    .all(...parameters)
    .map(({ detail }) => detail)
    .filter((detail) => {
      const [, how = '', table = ''] = /^(SCAN|SEARCH) (\w+)/.exec(detail) ?? [];
      if (!grown.has(table) || OF_NOW.test(detail)) return false;
      if (how === 'SCAN') return !isWalk(text);
      const terms = /\(([^()]*)\)/.exec(detail)?.[1]?.split(' AND ') ?? [];
      return terms.length > 0 && terms.every((term) => words.has(term.replace(/[=<>]+\?$/, ''))) && !isWalk(text);
    });
}

interface Node {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly Plans?: readonly Node[];
}

async function postgresReadsWhole(client: pg.Client, text: string, grown: ReadonlySet<string>): Promise<string[]> {
  const { rows } = await client.query(`explain (generic_plan, format json) ${text}`);
  const nodesOf = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];
  // The conditions and indexes of a bitmap scan are in the nodes below it.
  const narrows = (node: Node): boolean =>
    node['Node Type'].startsWith('Bitmap') && node.Plans ? node.Plans.every(narrows) : hasCondition(node);
  return nodesOf(rows[0]['QUERY PLAN'][0].Plan)
    .filter((node) => grown.has(node['Relation Name'] ?? '') && node['Node Type'].endsWith('Scan') && !narrows(node) && !isWalk(text))
    .map((node) => `${node['Node Type']} ${node['Relation Name'] ?? ''} ${node['Index Name'] ?? ''}`.trim());
}

const hasCondition = (node: Node): boolean => node['Index Cond'] !== undefined || OF_NOW.test(node['Index Name'] ?? '');

/** The first rows in the order of an index: it reads no more than it returns. */
const isWalk = (text: string): boolean => !text.includes(' where ') && /\blimit\b/.test(text);
