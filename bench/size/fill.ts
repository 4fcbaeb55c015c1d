/**
 * A store as it is after a year, filled by SQL straight into the SQLite file: the API would take
 * hours. It is kept for the next run.
 */
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { createIds, type NodeType } from '../../src/domain/core/ids.ts';
import { extendTiers } from '../../src/store/changes/tiers.ts';
import { streamBounds } from '../../src/store/queries/streams.ts';
import { openSqlite } from '../../src/store/sqlite/store.ts';
import { root } from '../processes.ts';
import { contents, SPACING_MS } from './contents.ts';

/** Counts up when the content changes: stores of an earlier version are made again. */
const VERSION = 1;
/** Buckets made in one transaction. */
const TIERS_AT_ONCE = 50;

export interface Filled {
  readonly folder: string;
  readonly jobs: number;
  /** A job that has ended, from the middle. */
  readonly jobId: string;
  /** One of the steps that wait. */
  readonly waitingStepId: string;
  /** The job with a metric of a point for each 25 jobs, and a log of as many lines. */
  readonly longJobId: string;
  readonly projectId: string;
  readonly deviceId: string;
  readonly applicationId: string;
  readonly experimentId: string;
  /** When the oldest and the newest job were created. */
  readonly beginsAt: number;
  readonly endsAt: number;
  readonly bytes: number;
}

/** Returns the store of so many jobs. Makes it if there is none. */
export async function filledStore(jobs: number, note: (text: string) => void): Promise<Filled> {
  const kept = join(root, 'node_modules/.cache/trainyard-bench');
  const folder = join(kept, `${jobs}-${VERSION}`);
  if (!existsSync(folder)) {
    const making = `${folder}.part`;
    rmSync(making, { recursive: true, force: true });
    mkdirSync(making, { recursive: true });
    const file = join(making, 'trainyard.sqlite');
    await (await openSqlite(file)).close();
    fill(file, jobs, note);
    await makeTiers(file, describe(making, jobs).longJobId, note);
    renameSync(making, folder);
  }
  return describe(folder, jobs);
}

function describe(folder: string, jobs: number): Filled {
  const file = join(folder, 'trainyard.sqlite');
  const database = new SqliteDatabase(file, { readonly: true });
  const one = (text: string) => String(database.prepare(text).pluck().get());
  const found = {
    folder,
    jobs,
    jobId: one(`select id from jobs order by id limit 1 offset ${jobs / 4}`),
    waitingStepId: one(`select id from steps where status = 'QUEUED' and queue_id = 'queue-0-1' limit 1`),
    longJobId: one(`select job_id from streams where kind = 'metric' order by last desc limit 1`),
    projectId: one('select id from projects order by id limit 1'),
    deviceId: one('select id from devices order by id limit 1'),
    applicationId: one('select application_id from jobs where application_id is not null limit 1'),
    experimentId: one('select experiment_id from jobs where experiment_id is not null limit 1'),
    beginsAt: Number(one('select created_at from jobs order by id limit 1')),
    endsAt: Number(one('select created_at from jobs order by id desc limit 1')),
    bytes: statSync(file).size,
  };
  database.close();
  return found;
}

function fill(file: string, jobs: number, note: (text: string) => void): void {
  const database = new SqliteDatabase(file);
  for (const pragma of ['journal_mode = off', 'synchronous = off', 'foreign_keys = off', 'cache_size = -1000000', 'temp_store = memory'])
    database.pragma(pragma);
  const end = Date.now();
  const start = end - jobs * SPACING_MS;
  const idOf = (type: NodeType, i: number): string => {
    const bytes = () => {
      const made = new Uint8Array(16);
      new DataView(made.buffer).setUint32(12, i);
      return made;
    };
    return createIds(() => new Date(start + i * SPACING_MS), bytes).next(type);
  };
  database.function('id_of', (type: NodeType, i: number) => idOf(type, i));
  // Indexes are made at the end, each at once, which takes a fraction of the time.
  const indexes = database
    .prepare<[], { name: string; sql: string }>(`select name, sql from sqlite_schema where type = 'index' and sql is not null`)
    .all();
  for (const { name } of indexes) database.exec(`drop index ${name}`);
  const began = performance.now();
  for (const [table, text] of Object.entries(contents({ jobs, start }))) {
    database.exec(text);
    note(`${((performance.now() - began) / 1_000).toFixed(0).padStart(4)} s  ${table}`);
  }
  for (const { sql } of indexes) database.exec(sql);
  note(`${((performance.now() - began) / 1_000).toFixed(0).padStart(4)} s  ${indexes.length} indexes`);
  database.close();
}

/** The tiers of the long curve, by the function that keeps them. */
async function makeTiers(file: string, jobId: string, note: (text: string) => void): Promise<void> {
  const store = await openSqlite(file);
  const began = performance.now();
  for (let isMore = true; isMore; ) {
    isMore = await store.write(async (tx) => {
      for (let i = 0; i < TIERS_AT_ONCE; i++) {
        const [stream] = await tx.run(streamBounds, { jobId, kind: 'metric' });
        if (!stream || stream.tiered >= stream.last) return false;
        await extendTiers(tx, { ...stream, jobId });
      }
      return true;
    });
  }
  note(`${((performance.now() - began) / 1_000).toFixed(0).padStart(4)} s  tiers`);
  await store.close();
}
