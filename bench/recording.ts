/**
 * The statements that one change runs, recorded for bench/peers/raw.js: it runs them again and
 * again, with new ids and numbers, and nothing else. That is the least that the change can cost.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import type { Principal } from '../src/domain/access/principal.ts';
import { claimStep } from '../src/domain/claims/claims.ts';
import { type ReportProgressInput, reportProgress } from '../src/domain/claims/progress.ts';
import { createDomain, type Domain } from '../src/domain/core/domain.ts';
import { createJob } from '../src/domain/jobs/creation.ts';
import { createProject } from '../src/domain/jobs/projects.ts';
import { DiskFiles } from '../src/store/files/disk.ts';
import { openSqlite } from '../src/store/sqlite/store.ts';
import { stepsOf } from './jobs.ts';

/** One statement with its values as the driver got them. */
interface Statement {
  readonly sql: string;
  readonly values: readonly unknown[];
}

/** The files of a peer: a database that the statements can run on, and the statements. */
export interface Recording {
  readonly database: string;
  readonly statements: string;
}

const admin: Principal = {
  ...{ kind: 'USER', role: 'ADMIN', name: 'user:admin' },
  ...{ keyId: null, projectId: null, jobId: null, deviceId: null, stepId: null, attempt: null, expiresAt: null },
};

/** createJob, as `createJobRequest` asks for it. */
export function recordCreateJob(folder: string): Promise<Recording> {
  return record(join(folder, 'create-job'), async (domain, { id: projectId }) => {
    return () => createJob(domain, admin, { projectId, name: 'Digits', steps: stepsOf(1) });
  });
}

/**
 * The inserts of points, samples and log chunks of a report. What else a report does (the fence,
 * the numbers, the newest values, the tiers) is not the peer's work.
 */
export function recordReport(
  folder: string,
  name: string,
  report: (turn: number) => Omit<ReportProgressInput, 'leaseToken'>,
): Promise<Recording> {
  const isOfRows = ({ sql }: Statement) => /^insert or fail into "(metric_points|telemetry_samples|log_chunks)"/.test(sql);
  return record(
    join(folder, name),
    async (domain, { id: projectId }) => {
      const { job } = await createJob(domain, admin, { projectId, name: 'Digits', steps: stepsOf(1) });
      const { lease } = await claimStep(domain, admin, { jobId: job.id, stepNumber: 0, leaseSeconds: 3_600 });
      let turn = 0;
      return () => reportProgress(domain, admin, { leaseToken: lease.token, ...report(turn++) });
    },
    isOfRows,
  );
}

/**
 * Records a change twice, the second and third time that it runs. Values that differ are those
 * that the peer makes anew.
 */
async function record(
  folder: string,
  prepare: (domain: Domain, project: { id: string }) => Promise<() => Promise<unknown>>,
  isWanted: (statement: Statement) => boolean = () => true,
): Promise<Recording> {
  mkdirSync(folder);
  const database = join(folder, 'recorded.sqlite');
  const notes: Statement[] = [];
  const forget = noteStatements(notes);
  const store = await openSqlite(database);
  const domain = createDomain({ store, files: new DiskFiles(join(folder, 'files')) });
  const { project } = await createProject(domain, admin, { name: 'Bench' });
  const change = await prepare(domain, project);
  const next = async () => {
    notes.length = 0;
    await change();
    return notes.filter(({ sql }) => /^(insert|update|delete|select|with)\b/i.test(sql)).filter(isWanted);
  };
  await next();
  const pair = [await next(), await next()];
  await store.close();
  forget();
  const statements = join(folder, 'statements.json');
  writeFileSync(statements, JSON.stringify(pair));
  return { database, statements };
}

/** Notes the statements of all connections of this process. Returns a function that stops it. */
function noteStatements(notes: Statement[]): () => void {
  const { prepare } = SqliteDatabase.prototype;
  SqliteDatabase.prototype.prepare = function noted(this: SqliteDatabase.Database, sql: string) {
    const statement = prepare.call(this, sql) as SqliteDatabase.Statement;
    for (const method of ['run', 'all', 'get'] as const) {
      const run = statement[method].bind(statement) as (...values: unknown[]) => unknown;
      Object.defineProperty(statement, method, {
        value: (...values: unknown[]) => {
          notes.push({ sql, values: values.flat() });
          return run(...values);
        },
      });
    }
    return statement;
  } as typeof prepare;
  return () => {
    SqliteDatabase.prototype.prepare = prepare;
  };
}
