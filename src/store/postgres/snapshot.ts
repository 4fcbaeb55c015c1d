import pg from 'pg';
import {
  type BackupColumn,
  type BackupRow,
  type BackupTable,
  type BackupValue,
  quote,
  type Snapshot,
  writeReal,
} from '../backup-format.ts';
import { migrationsOf } from '../migrations.ts';
import { StoreUnusable } from '../store.ts';
import { connectionTo, whileFilesAreRead } from './session.ts';

const ROWS_AT_ONCE = 1_000;

/** A REPEATABLE READ transaction, which sees one moment. Reads with cursors. */
export async function snapshotPostgres(url: string): Promise<Snapshot> {
  const client = new pg.Client({
    ...connectionTo(url, { name: 'trainyard backup', answerWithinMs: null, settings: whileFilesAreRead }),
    // Every value as the text that the server sends.
    types: { getTypeParser: () => (value: string) => value },
  });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const known = await client.query(`select to_regclass('drizzle.__drizzle_migrations') is not null as known`);
    if (known.rows[0].known !== 't') throw new StoreUnusable('There is no store in this database: Trainyard was never started on it.');
    const { rows } = await client.query('select count(*) as count, max(created_at) as newest from drizzle.__drizzle_migrations');
    migrationsOf('postgres').requireSame(Number(rows[0].newest));
    const version = await client.query('show server_version');
    return of(client, Number(rows[0].count), String(version.rows[0].server_version));
  } catch (error) {
    await client.end().catch(() => {});
    if (error instanceof StoreUnusable) throw error;
    throw new StoreUnusable(`PostgreSQL cannot be used: ${error instanceof Error ? error.message || String(error) : String(error)}`);
  }
}

function of(client: pg.Client, migrations: number, version: string): Snapshot {
  return {
    description: `postgres ${version}`,
    migrations,
    async *rows(table) {
      const selection = table.columns.map((column) => selectionOf(table, column)).join(', ');
      await client.query(`DECLARE rows NO SCROLL CURSOR FOR select ${selection} from ${quote(table.name)} as it`);
      const decode = table.columns.map(({ kind }) => decoders[kind]);
      for (;;) {
        const { rows } = await client.query<(string | null)[]>({ text: `FETCH ${ROWS_AT_ONCE} FROM rows`, rowMode: 'array' });
        if (rows.length > 0)
          yield rows.map((row): BackupRow => row.map((value, i) => (value === null ? null : (decode[i]?.(value) ?? value))));
        if (rows.length < ROWS_AT_ONCE) break;
      }
      await client.query('CLOSE rows');
    },
    async close() {
      await client.end();
    },
  };
}

const decoders: Readonly<Record<BackupColumn['kind'], (value: string) => BackupValue>> = {
  text: (value) => value,
  json: (value) => value,
  whole: Number,
  instant: Number,
  real: (value) => writeReal(Number(value)),
  bool: (value) => value === 't',
};

function selectionOf({ name: table }: BackupTable, { name, kind }: BackupColumn): string {
  const column = `it.${quote(name)}`;
  // The end of the stream: cursors from before the backup stay valid in a store restored from it.
  if (table === 'streams' && name === 'inherited') return 'it.last';
  // An event without a position in the feed gets the next one, as the sequencer would assign it.
  // SQLite has no events without a position.
  if (table === 'streams' && name === 'last')
    return `it.last + case when it.job_id = '' and it.kind = 'event' then (select count(*) from events where position < 0) else 0 end`;
  if (table === 'events' && name === 'position') {
    const place = `(select count(*) from events as other where other.position < 0 and other.position >= it.position)`;
    const last = `coalesce((select last from streams where job_id = '' and kind = 'event'), 0)`;
    return `case when it.position < 0 then ${last} + ${place} else it.position end`;
  }
  if (kind === 'instant') return `(extract(epoch from ${column}) * 1000)::bigint`;
  return kind === 'json' ? `${column}::text` : column;
}
