/**
 * The stored rows at the end, read with plain SQL: the checker does not trust the gateway's own
 * account.
 */
import SqliteDatabase from 'better-sqlite3';
import pg from 'pg';

export interface JobRow {
  readonly id: string;
  readonly projectId: string;
  readonly name: string;
  readonly status: string;
}

export interface StepRow {
  readonly id: string;
  readonly jobId: string;
  readonly number: number;
  readonly name: string;
  readonly status: string;
  readonly attemptCount: number;
  readonly leaseExpiresAt: number | null;
}

export interface AttemptRow {
  readonly stepId: string;
  readonly number: number;
  readonly deviceId: string | null;
  readonly outcome: string;
  readonly claimedAt: number;
  readonly leaseExpiresAt: number;
  readonly finishedAt: number | null;
}

export interface EventRow {
  readonly jobId: string;
  readonly seq: number;
  readonly position: number;
  readonly projectId: string;
  readonly type: string;
  readonly at: number;
  readonly stepId: string | null;
  readonly fragmentId: string | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly attempt: number | null;
  readonly reason: string | null;
}

export interface LogRow {
  readonly jobId: string;
  readonly seq: number;
  readonly stepNumber: number;
  readonly attempt: number;
  readonly offset: number;
  readonly size: number;
  readonly text: string;
  readonly firstLine: number | null;
}

export interface MetricRow {
  readonly jobId: string;
  readonly seq: number;
  readonly stepNumber: number;
  readonly attempt: number;
  readonly name: string;
  readonly value: number;
  readonly iteration: number | null;
}

export interface TelemetryRow {
  readonly jobId: string;
  readonly seq: number;
  readonly stepNumber: number;
  readonly attempt: number;
  readonly at: number;
  readonly cpu: number;
  readonly memoryMb: number;
}

export interface FragmentRow {
  readonly id: string;
  readonly jobId: string | null;
  readonly stepId: string | null;
  readonly attempt: number | null;
  readonly filename: string;
  readonly status: string;
  readonly sizeBytes: number | null;
  readonly sha256: string | null;
}

export interface StreamRow {
  readonly jobId: string;
  readonly kind: string;
  readonly last: number;
  readonly first: number;
}

export interface KeyRow {
  readonly scope: string;
  readonly operation: string;
  readonly key: string;
  /** Ids of its results. */
  readonly result: readonly string[];
}

export interface DeviceRow {
  readonly id: string;
  readonly name: string;
}

/** Times are Unix times in milliseconds. */
export interface Stored {
  readonly jobs: readonly JobRow[];
  readonly steps: readonly StepRow[];
  readonly attempts: readonly AttemptRow[];
  /** Sorted by job and seq. */
  readonly events: readonly EventRow[];
  readonly log: readonly LogRow[];
  readonly metrics: readonly MetricRow[];
  readonly telemetry: readonly TelemetryRow[];
  readonly fragments: readonly FragmentRow[];
  readonly streams: readonly StreamRow[];
  readonly keys: readonly KeyRow[];
  readonly devices: readonly DeviceRow[];
}

type Row = Record<string, unknown>;
type Select = (sql: string) => Promise<Row[]>;

/** `database` is a SQLite file or a postgres://… URL. */
export async function readStored(database: string): Promise<Stored> {
  if (/^postgres(ql)?:\/\//.test(database)) {
    const client = new pg.Client({ connectionString: database });
    await client.connect();
    try {
      return await readAll(async (sql) => (await client.query(sql)).rows);
    } finally {
      await client.end();
    }
  }
  const file = new SqliteDatabase(database, { readonly: true, fileMustExist: true });
  try {
    return await readAll(async (sql) => file.prepare(sql).all() as Row[]); // better-sqlite3 leaves the type to the author of the SQL
  } finally {
    file.close();
  }
}

async function readAll(select: Select): Promise<Stored> {
  // Casts: each list has exactly the columns that its type names.
  const rows = async <T>(table: string, columns: readonly (keyof T & string)[], orderBy: string): Promise<T[]> => {
    const names = columns.map((column) => `"${snake(column)}"`).join(', ');
    const found = await select(`select ${names} from "${table}" order by ${orderBy}`);
    return found.map((row) => Object.fromEntries(columns.map((column) => [column, plain(column, row[snake(column)])])) as T);
  };
  return {
    jobs: await rows<JobRow>('jobs', ['id', 'projectId', 'name', 'status'], 'id'),
    steps: await rows<StepRow>('steps', ['id', 'jobId', 'number', 'name', 'status', 'attemptCount', 'leaseExpiresAt'], 'job_id, number'),
    attempts: await rows<AttemptRow>(
      'attempts',
      ['stepId', 'number', 'deviceId', 'outcome', 'claimedAt', 'leaseExpiresAt', 'finishedAt'],
      'step_id, number',
    ),
    events: await rows<EventRow>(
      'events',
      ['jobId', 'seq', 'position', 'projectId', 'type', 'at', 'stepId', 'fragmentId', 'from', 'to', 'attempt', 'reason'],
      'job_id, seq',
    ),
    log: await rows<LogRow>('log_chunks', ['jobId', 'seq', 'stepNumber', 'attempt', 'offset', 'size', 'text', 'firstLine'], 'job_id, seq'),
    metrics: await rows<MetricRow>('metric_points', ['jobId', 'seq', 'stepNumber', 'attempt', 'name', 'value', 'iteration'], 'job_id, seq'),
    telemetry: await rows<TelemetryRow>(
      'telemetry_samples',
      ['jobId', 'seq', 'stepNumber', 'attempt', 'at', 'cpu', 'memoryMb'],
      'job_id, seq',
    ),
    fragments: await rows<FragmentRow>(
      'fragments',
      ['id', 'jobId', 'stepId', 'attempt', 'filename', 'status', 'sizeBytes', 'sha256'],
      'id',
    ),
    streams: await rows<StreamRow>('streams', ['jobId', 'kind', 'last', 'first'], 'job_id, kind'),
    keys: await rows<KeyRow>('idempotency_keys', ['scope', 'operation', 'key', 'result'], 'scope, key'),
    devices: await rows<DeviceRow>('devices', ['id', 'name'], 'id'),
  };
}

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const WHOLE = new Set(['seq', 'position', 'offset', 'firstLine', 'last', 'first', 'iteration', 'sizeBytes']);

/** The same values from both drivers: times as numbers, 64-bit integers as numbers, JSON parsed. */
function plain(column: string, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.getTime();
  if (WHOLE.has(column)) return Number(value);
  if (column === 'result' && typeof value === 'string') return JSON.parse(value);
  return value;
}
