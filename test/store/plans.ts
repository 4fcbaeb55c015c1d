/** How a database would run a query, told by the database itself, and which of its tables it would read from end to end. */
import SqliteDatabase from 'better-sqlite3';
import { getTableColumns, getTableName } from 'drizzle-orm';
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3';
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres';
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core';
import pg from 'pg';
import type { Tables } from '../../src/store/schema/tables.ts';
import { hideParameters } from '../../src/store/sqlite/store.ts';
import { PreparedStatements } from '../../src/store/statements/prepared.ts';
import type { Database } from '../../src/store/store.ts';
import type { TestDatabase } from '../support/databases.ts';

/** Tables of which an installation has thousands at most: who reads one of them whole does not read more from year to year. */
const SMALL = ['meta', 'projects', 'devices', 'applications', 'experiments', 'models', 'queues'];
/** Partial indexes that hold what is under way now, or a few rows by design: as many as there are devices, timeouts and admins, not jobs. */
const OF_NOW =
  /participants_open|steps_preemptible|steps_device|steps_reserved|steps_lease_expiry|jobs_deadline|rounds_deadline|api_keys_admin/;
const ROWS = 500;

export interface Planner {
  /** Queries built on it are noted: their texts are what `noted` answers, once. */
  readonly queries: PreparedStatements;
  noted(): string[];
  /** What the query would read from end to end, in the database's words. */
  readsWhole(text: string): Promise<string[]>;
  close(): Promise<void>;
}

/** On a store that has some rows in each table, with ids x1, x2 … */
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
  // A table of some pages is read whole wherever it can be: so only where no index serves.
  await client.query('set enable_seqscan = off');
  return {
    queries: new PreparedStatements(drizzlePostgres(client, { casing: 'snake_case', logger }) as unknown as Database, tables, dialect),
    noted,
    readsWhole: (text) => postgresReadsWhole(client, text, grown),
    close: () => client.end(),
  };
}

/** Fills each table with rows that hold anything: of what may be null, one in fifty is not. */
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
  // What waits is what there can be most of that is not over.
  const word = column.enumValues?.find((value) => value === 'QUEUED') ?? column.enumValues?.at(-1);
  if (word !== undefined) return `'${word}'`;
  const type = column.getSQLType();
  if (type === 'json') return `cast('[]' as json)`;
  if (type === 'boolean') return 'false';
  if (type.startsWith('timestamp')) return `timestamptz '2026-01-01 00:00:00Z' + i * interval '1 second'`;
  if (dialect === 'sqlite' && column.columnType === 'SQLiteCustomColumn') return type === 'text' ? `'[]'` : 'i % 2';
  return type === 'text' ? `'x' || i` : 'i';
}

/** A condition on words alone narrows nothing: a table may hold one word over and over. */
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
  // Of a bitmap scan, the conditions and the indexes stand in the nodes below it.
  const narrows = (node: Node): boolean =>
    node['Node Type'].startsWith('Bitmap') && node.Plans ? node.Plans.every(narrows) : hasCondition(node);
  return nodesOf(rows[0]['QUERY PLAN'][0].Plan)
    .filter((node) => grown.has(node['Relation Name'] ?? '') && node['Node Type'].endsWith('Scan') && !narrows(node) && !isWalk(text))
    .map((node) => `${node['Node Type']} ${node['Relation Name'] ?? ''} ${node['Index Name'] ?? ''}`.trim());
}

const hasCondition = (node: Node): boolean => node['Index Cond'] !== undefined || OF_NOW.test(node['Index Name'] ?? '');

/** The first so many in the order of an index: it reads no more than it answers. */
const isWalk = (text: string): boolean => !text.includes(' where ') && /\blimit\b/.test(text);
