/**
 * The tables in a backup. The format is the same for both databases, so that a backup of one can be
 * restored into the other.
 *
 * A row is an array of plain values in the order of the table's columns. Dates are milliseconds.
 * JSON is its stored text: parsed and written again, it could differ in some bytes.
 */
import { is, Table } from 'drizzle-orm';
import { toSnakeCase } from 'drizzle-orm/casing';
import { getTableConfig, type PgTable } from 'drizzle-orm/pg-core';
import { tables } from './schema/postgres.ts';

export type ColumnKind = 'text' | 'whole' | 'real' | 'bool' | 'instant' | 'json';
/** A real number that JSON cannot express is its name as text. */
export type BackupValue = string | number | boolean | null;
export type BackupRow = readonly BackupValue[];

export interface BackupColumn {
  /** Its name in the database. */
  readonly name: string;
  readonly kind: ColumnKind;
}
export interface BackupTable {
  readonly name: string;
  readonly columns: readonly BackupColumn[];
}

/** One consistent moment of a database, read table by table while others continue to write. */
export interface Snapshot {
  /** For people. */
  readonly description: string;
  /** The number of migrations applied to it. */
  readonly migrations: number;
  /** The rows of a table, a few hundred at a time. Read one table at a time. */
  rows(table: BackupTable): AsyncIterable<readonly BackupRow[]>;
  close(): Promise<void>;
}

/** An empty store that is being filled from a backup: completely, or not at all. */
export interface Restore {
  readonly description: string;
  insert(table: BackupTable, rows: readonly BackupRow[]): Promise<void>;
  /**
   * Gives the store a new identity and makes it durable. Before this returns, there is no store.
   */
  finish(options: FinishOptions): Promise<void>;
  /** Leaves no store, as before the restore. */
  abandon(): Promise<void>;
}

export interface FinishOptions {
  /** The identity of the restored store. */
  readonly identity: string;
  /**
   * Whether held leases end: their tokens are refused, and their steps can be claimed as soon as a
   * gateway starts.
   */
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

/** Every table, each after the tables that its rows refer to. */
export const backupTables: readonly BackupTable[] = inOrder().map((table) => ({
  name: getTableConfig(table).name,
  columns: getTableConfig(table).columns.map((column) => {
    const kind = kinds[column.getSQLType()];
    if (!kind) throw new Error(`The backup format has no type for a column of type ${column.getSQLType()}.`);
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

/** A real number in the format of a backup. */
export const writeReal = (value: number): number | string =>
  Number.isFinite(value) && !Object.is(value, -0) ? value : Object.is(value, -0) ? '-0' : String(value);
