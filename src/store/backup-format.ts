/**
 * The tables as a backup has them: the same for both databases, so that what was taken of one can be restored into the other.
 *
 * A row is an array of plain values in the order of the table's columns. Dates are milliseconds, and JSON is its text as it is stored: parsed and
 * written again, it would not be the same to the byte.
 */
import { is, Table } from 'drizzle-orm';
import { toSnakeCase } from 'drizzle-orm/casing';
import { getTableConfig, type PgTable } from 'drizzle-orm/pg-core';
import { tables } from './schema/postgres.ts';

export type ColumnKind = 'text' | 'whole' | 'real' | 'bool' | 'instant' | 'json';
/** A real number that JSON has no word for is its name as text. */
export type BackupValue = string | number | boolean | null;
export type BackupRow = readonly BackupValue[];

export interface BackupColumn {
  /** As in the database. */
  readonly name: string;
  readonly kind: ColumnKind;
}
export interface BackupTable {
  readonly name: string;
  readonly columns: readonly BackupColumn[];
}

/** One consistent moment of a database, to be read table by table while others go on writing. */
export interface Snapshot {
  /** For people. */
  readonly description: string;
  /** How many migrations have been applied to it. */
  readonly migrations: number;
  /** The rows of a table, some hundreds at a time. One table at once. */
  rows(table: BackupTable): AsyncIterable<readonly BackupRow[]>;
  close(): Promise<void>;
}

/** An empty store, being filled with what a backup holds: all of it, or nothing. */
export interface Restore {
  readonly description: string;
  insert(table: BackupTable, rows: readonly BackupRow[]): Promise<void>;
  /** Gives the store an identity of its own, and makes it durable and whole. Before this returns, there is no store. */
  finish(options: FinishOptions): Promise<void>;
  /** Leaves the place without a store, as it was found. */
  abandon(): Promise<void>;
}

export interface FinishOptions {
  /** Of the restored store. */
  readonly identity: string;
  /** Whether the leases that were held end: their tokens are refused, and their steps can be claimed as soon as a gateway starts. */
  readonly endsLeases: boolean;
}

const kinds: Readonly<Record<string, ColumnKind>> = {
  text: 'text',
  integer: 'whole',
  bigint: 'whole',
  'double precision': 'real',
  boolean: 'bool',
  'timestamp(3) with time zone': 'instant',
  json: 'json',
};

/** Every table, each after those that its rows refer to. */
export const backupTables: readonly BackupTable[] = inOrder().map((table) => ({
  name: getTableConfig(table).name,
  columns: getTableConfig(table).columns.map((column) => {
    const kind = kinds[column.getSQLType()];
    if (!kind) throw new Error(`No backup has a place for a column of type ${column.getSQLType()}.`);
    return { name: column.keyAsName ? toSnakeCase(column.name) : column.name, kind };
  }),
}));

function inOrder(): PgTable[] {
  // Cast: they are PostgreSQL's, in the common type (see columns.ts).
  const all = Object.values(tables).filter((table) => is(table, Table)) as unknown as PgTable[];
  const ordered: PgTable[] = [];
  const add = (table: PgTable): void => {
    if (ordered.includes(table)) return;
    for (const { reference } of getTableConfig(table).foreignKeys) {
      const { foreignTable } = reference();
      if (foreignTable !== table) add(foreignTable);
    }
    ordered.push(table);
  };
  for (const table of all) add(table);
  return ordered;
}

export const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** A real number as a backup has it. */
export const writeReal = (value: number): number | string =>
  Number.isFinite(value) && !Object.is(value, -0) ? value : Object.is(value, -0) ? '-0' : String(value);
