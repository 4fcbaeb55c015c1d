/** Devices and their attempts, for readers. */
import { and, asc, count, eq, getTableColumns, gt, gte, inArray, isNotNull, isNull, lt, lte, or, type SQL, sql } from 'drizzle-orm';
import type { DeviceKind, Label, Resources } from '../../domain/core/vocabulary.ts';
import { isWord } from '../schema/columns.ts';
import type { AttemptRow, DeviceChangeRow, DeviceRow, Tables } from '../schema/tables.ts';
import { batch } from '../statements/batch.ts';
import { instantKey, keyset, numberKey, type Slice, textKey } from '../statements/keyset.ts';
import { type Placeholder, type Queries, statement } from '../store.ts';

export const devicesByIds = batch<DeviceRow>('devices', (db, t, ids) => db.select().from(t.devices).where(inArray(t.devices.id, ids)));

/** Of the devices of a project, and of those that serve all: so many of each are judged. */
export const MOST_JUDGED = 100;

/** Of each of these projects, and of the devices that serve all: those that were seen last. */
export const devicesSeenLast = batch<DeviceRow>('devices seen last', (db, { devices }, projectIds) => {
  const ranked = db
    .select({
      id: devices.id,
      rank: sql<number>`row_number() over (
        partition by ${devices.projectId} order by ${devices.lastSeenAt} is null, ${devices.lastSeenAt} desc, ${devices.id})`.as('rank'),
    })
    .from(devices)
    .where(or(inArray(devices.projectId, projectIds), isNull(devices.projectId)))
    .as('ranked');
  return db
    .select(getTableColumns(devices))
    .from(ranked)
    .innerJoin(devices, eq(devices.id, ranked.id))
    .where(lte(ranked.rank, sql.raw(String(MOST_JUDGED))));
});

/** A step that a device holds or, if it is QUEUED, that has a reservation on it. */
export interface LoadRow {
  readonly deviceId: string | null;
  readonly id: string;
  readonly status: string;
  readonly priority: number;
  readonly queuedAt: Date | null;
  readonly queueId: string;
  readonly resources: Resources;
}

/** What `loadOfDevice` in changes/steps.ts reads, of many. */
export const heldByDevices = batch<LoadRow>('held by devices', (db, t, deviceIds) =>
  db
    .select({ deviceId: t.steps.leaseDeviceId, ...loadColumns(t) })
    .from(t.steps)
    .innerJoin(t.queues, eq(t.queues.id, t.steps.queueId))
    .where(inArray(t.steps.leaseDeviceId, deviceIds)),
);
export const reservedOnDevices = batch<LoadRow>('reserved on devices', (db, t, deviceIds) =>
  db
    .select({ deviceId: t.steps.reservedDeviceId, ...loadColumns(t) })
    .from(t.steps)
    .innerJoin(t.queues, eq(t.queues.id, t.steps.queueId))
    .where(and(inArray(t.steps.reservedDeviceId, deviceIds), isWord(t.steps.status, 'QUEUED'))),
);

const loadColumns = ({ steps, queues }: Tables) => ({
  id: steps.id,
  status: steps.status,
  priority: steps.priority,
  queuedAt: steps.queuedAt,
  queueId: steps.queueId,
  resources: queues.resources,
});

export interface DevicesOf {
  /** Null: devices of all projects, and those that serve all. */
  readonly projectId: string | null;
  readonly kinds: readonly DeviceKind[] | null;
  readonly statuses: readonly ('ONLINE' | 'OFFLINE' | 'DRAINING')[] | null;
  /** A device is online if it was seen since this time. */
  readonly onlineSince: Date;
  /** Labels that the device must have, all of them. */
  readonly labels: readonly Label[] | null;
}

type Devices = Queries['t']['devices'];

function isOf({ t: { devices } }: Queries, of: DevicesOf): SQL | undefined {
  return and(
    of.projectId === null ? undefined : eq(devices.projectId, of.projectId),
    of.kinds === null ? undefined : inArray(devices.kind, [...of.kinds]),
    of.statuses === null ? undefined : or(isNothing(devices), ...of.statuses.map((status) => hasStatus(devices, status, of.onlineSince))),
  );
}

/** A condition that no device meets, for an empty list of statuses. */
const isNothing = (devices: Devices) => isNull(devices.id);

/** The same rule as `statusOf` in domain/steps/devices.ts. */
function hasStatus(devices: Devices, status: 'ONLINE' | 'OFFLINE' | 'DRAINING', onlineSince: Date): SQL | undefined {
  if (status === 'DRAINING') return eq(devices.isDraining, true);
  const isSeen =
    status === 'ONLINE'
      ? and(isNotNull(devices.lastSeenAt), gte(devices.lastSeenAt, onlineSince))
      : or(isNull(devices.lastSeenAt), lt(devices.lastSeenAt, onlineSince));
  return and(eq(devices.isDraining, false), isSeen);
}

const hasLabels = (labels: readonly Label[], has: readonly Label[]): boolean =>
  labels.every(({ key, value }) => has.some((label) => label.key === key && label.value === value));

/**
 * Newest first. Labels are a JSON column, so a filter by labels reads the rows. There are a few
 * thousand devices at most.
 */
export async function listDevices(queries: Queries, of: DevicesOf, slice: Slice): Promise<DeviceRow[]> {
  const { devices } = queries.t;
  const { where, orderBy } = keyset([textKey(devices.id)], 'desc', slice);
  const rows = queries.db
    .select()
    .from(devices)
    .where(and(isOf(queries, of), where))
    .orderBy(...orderBy);
  const { labels } = of;
  if (labels === null) return rows.limit(slice.limit);
  return (await rows).filter((row) => hasLabels(labels, row.labels)).slice(0, slice.limit);
}

/** Those of these devices that match. */
export async function matchingDevices(queries: Queries, of: DevicesOf, ids: readonly string[]): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set();
  const { devices } = queries.t;
  const rows = await queries.db
    .select({ id: devices.id, labels: devices.labels })
    .from(devices)
    .where(and(inArray(devices.id, [...ids]), isOf(queries, of)));
  return new Set(rows.filter(({ labels }) => hasLabels(of.labels ?? [], labels)).map(({ id }) => id));
}

/** The newest changes of devices in a range of numbers, of one project or of all. */
export function changedDevices(
  { db, t: { deviceChanges } }: Queries,
  { after, upTo, projectId, limit }: { after: number; upTo: number; projectId: string | null; limit: number },
): Promise<DeviceChangeRow[]> {
  return db
    .select()
    .from(deviceChanges)
    .where(
      and(
        gt(deviceChanges.number, after),
        lte(deviceChanges.number, upTo),
        projectId === null ? undefined : eq(deviceChanges.projectId, projectId),
      ),
    )
    .orderBy(asc(deviceChanges.number))
    .limit(limit);
}

/**
 * Devices that have gone offline or come online since their newest change, and those of which no
 * change is recorded yet.
 */
export const silentOrBack = statement('silent or back', (db, t, $: Placeholder<{ since: Date; limit: number }>) => {
  const { devices, deviceChanges } = t;
  const since = $('since', devices.lastSeenAt);
  return db
    .select({ id: devices.id, projectId: devices.projectId, lastSeenAt: devices.lastSeenAt })
    .from(devices)
    .leftJoin(deviceChanges, eq(deviceChanges.deviceId, devices.id))
    .where(
      or(
        isNull(deviceChanges.deviceId),
        and(sql`${deviceChanges.isOnline}`, or(isNull(devices.lastSeenAt), lt(devices.lastSeenAt, since))),
        and(sql`not ${deviceChanges.isOnline}`, gte(devices.lastSeenAt, since)),
      ),
    )
    .limit($('limit'));
});

export async function countDevices(queries: Queries, of: DevicesOf): Promise<number> {
  const { devices } = queries.t;
  const { labels } = of;
  if (labels !== null) {
    const rows = await queries.db.select({ labels: devices.labels }).from(devices).where(isOf(queries, of));
    return rows.filter((row) => hasLabels(labels, row.labels)).length;
  }
  const [row] = await queries.db.select({ count: count() }).from(devices).where(isOf(queries, of));
  return row?.count ?? 0;
}

/** An attempt with the project of its step. */
export interface RunningAttempt extends AttemptRow {
  readonly projectId: string;
}

/** The attempts at the steps that these devices hold, the oldest claim first. */
export const runningAttemptsOfDevices = batch<RunningAttempt>(
  'running attempts of devices',
  (db, { steps, attempts }, deviceIds) =>
    db
      .select({ ...getTableColumns(attempts), projectId: steps.projectId })
      .from(steps)
      .innerJoin(attempts, and(eq(attempts.stepId, steps.id), eq(attempts.number, steps.attemptCount)))
      .where(inArray(steps.leaseDeviceId, deviceIds))
      .orderBy(asc(attempts.claimedAt), asc(attempts.stepId)),
  { isList: true },
);

/** The attempts of a device: all, or those at steps of one project or job. */
export interface AttemptsOf {
  readonly deviceId: string;
  readonly projectId: string | null;
  readonly jobId: string | null;
}

function isAttemptOf({ t: { attempts, jobs } }: Queries, { deviceId, projectId, jobId }: AttemptsOf): SQL | undefined {
  return and(
    eq(attempts.deviceId, deviceId),
    projectId === null ? undefined : eq(jobs.projectId, projectId),
    jobId === null ? undefined : eq(attempts.jobId, jobId),
  );
}

/** Newest claim first. */
export async function listAttempts(queries: Queries, of: AttemptsOf, slice: Slice): Promise<AttemptRow[]> {
  const { attempts, jobs } = queries.t;
  const keys = [instantKey(attempts.claimedAt), textKey(attempts.stepId), numberKey(attempts.number)];
  const { where, orderBy } = keyset(keys, 'desc', slice);
  const rows = await queries.db
    .select({ attempt: attempts })
    .from(attempts)
    .innerJoin(jobs, eq(jobs.id, attempts.jobId))
    .where(and(isAttemptOf(queries, of), where))
    .orderBy(...orderBy)
    .limit(slice.limit);
  return rows.map(({ attempt }) => attempt);
}

export async function countAttempts(queries: Queries, of: AttemptsOf): Promise<number> {
  const { attempts, jobs } = queries.t;
  const [row] = await queries.db
    .select({ count: count() })
    .from(attempts)
    .innerJoin(jobs, eq(jobs.id, attempts.jobId))
    .where(isAttemptOf(queries, of));
  return row?.count ?? 0;
}
