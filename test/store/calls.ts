/**
 * A call of each store function that builds its queries when it is called, and of each filter of
 * each list.
 */
import { addApplication, applicationByName, removeApplication, saveApplicationFields } from '../../src/store/changes/applications.ts';
import { renewLeases, shiftDeadlines } from '../../src/store/changes/deadlines.ts';
import { devicesFor, removeDevices, saveDeviceFields, seeDevices } from '../../src/store/changes/devices.ts';
import { dropOpenParticipants, saveParticipant, saveRound } from '../../src/store/changes/federations.ts';
import { removeJobLabels, removeJobs, saveJobFields, takeJobItems } from '../../src/store/changes/jobs.ts';
import { keepModelsOfJobs } from '../../src/store/changes/models.ts';
import { removeProject, saveProjectFields } from '../../src/store/changes/projects.ts';
import { allReservations, stepsOnDevices } from '../../src/store/changes/reservations.ts';
import {
  lockStream,
  removeDeletions,
  removeLeft,
  removeOldest,
  shortenLog,
  takeTurn,
  thinStream,
} from '../../src/store/changes/retention.ts';
import { remakeTiers, removeTiers } from '../../src/store/changes/tiers.ts';
import { countApplications, listApplications } from '../../src/store/queries/applications.ts';
import { type AuditEntriesOf, countAuditEntries, listAuditEntries } from '../../src/store/queries/audit.ts';
import { type ClaimableFilter, countClaimable, listClaimable } from '../../src/store/queries/claimable.ts';
import { latestMetricsByName, latestMetricsOfJobs } from '../../src/store/queries/curves.ts';
import {
  type AttemptsOf,
  changedDevices,
  countAttempts,
  countDevices,
  type DevicesOf,
  listAttempts,
  listDevices,
  matchingDevices,
} from '../../src/store/queries/devices.ts';
import { countExperiments, listExperiments } from '../../src/store/queries/experiments.ts';
import { countFragments, type FragmentsOf, listFragments } from '../../src/store/queries/fragments.ts';
import { countGaps } from '../../src/store/queries/gaps.ts';
import { readEventsOfTypes } from '../../src/store/queries/history.ts';
import { countJobs, countJobsBy } from '../../src/store/queries/job-counts.ts';
import { type JobFilter, jobCondition } from '../../src/store/queries/job-filter.ts';
import { inSteps, listJobs, matchingIds } from '../../src/store/queries/job-lists.ts';
import type { JobOrder } from '../../src/store/queries/job-orders.ts';
import { type ApiKeysOf, countApiKeys, listApiKeys, saveKeyFields } from '../../src/store/queries/keys.ts';
import { completeLabels } from '../../src/store/queries/labels.ts';
import { countModels, countVersions, listModels, listVersions } from '../../src/store/queries/models.ts';
import { countProjects, listProjects } from '../../src/store/queries/projects.ts';
import { jobsInFeed, readFeed, readListedEvents } from '../../src/store/queries/streams.ts';
import { storedAmong } from '../../src/store/queries/tiers.ts';
import type { ApplicationRow, StreamRow } from '../../src/store/schema/tables.ts';
import type { Slice } from '../../src/store/statements/keyset.ts';
import type { Tx } from '../../src/store/store.ts';

export interface Call {
  /** The function's name, with a suffix for this call. */
  readonly name: string;
  run(tx: Tx): unknown;
}

const at = new Date('2026-01-01T00:01:00Z');
const first: Slice = { limit: 10, isBackward: false, after: null, before: null };
const portion = { rows: 10, bytes: 1_000 };
const id = 'x1';
const projectId = 'x1';
const jobId = 'x1';

const jobFilters: readonly JobFilter[] = [
  {},
  { projectId },
  { experimentId: id },
  { applicationId: id },
  { statuses: ['RUNNING'] },
  { statuses: ['SUCCEEDED', 'FAILED'] },
  { types: ['TRAINING'] },
  { initiators: ['MANUAL'] },
  { name: 'a' },
  { nameContains: 'a' },
  { owner: 'a' },
  { labels: [{ key: 'a', value: 'b' }] },
  { createdAfter: at },
  { createdBefore: at },
  { deviceId: id },
  { hasMetric: 'a' },
  { search: 'a' },
  { labelFilters: [{ key: 'a' }] },
];
const jobOrders: readonly JobOrder['field'][] = [
  'CREATED_AT',
  'UPDATED_AT',
  'PRIORITY',
  'NAME',
  'STARTED_AT',
  'FINISHED_AT',
  'DURATION',
  'METRIC',
];
const countedBy = ['STATUS', 'TYPE', 'OWNER', 'DEVICE', 'APPLICATION', 'EXPERIMENT', 'PROJECT', 'LABEL'] as const;
const nameOf = (filter: object) => Object.entries(filter).map(([name, value]) => (Array.isArray(value) ? `${name} ${value.length}` : name));
const everything = { projectId: null, jobId: null };

const jobLists: readonly Call[] = jobFilters.flatMap((filter) => [
  { name: ['countJobs', ...nameOf(filter)].join(' '), run: (tx: Tx) => countJobs(tx, jobCondition(filter, everything)) },
  ...jobOrders.map((field) => ({
    name: ['listJobs', field, ...nameOf(filter)].join(' '),
    run: (tx: Tx) => listJobs(tx, jobCondition(filter, everything), { field, direction: 'DESC', metric: 'a' }, first),
  })),
]);
const jobCounts: readonly Call[] = countedBy.map((by) => ({
  name: `countJobsBy ${by}`,
  run: (tx: Tx) => countJobsBy(tx, [], { by, labelKey: 'a' }),
}));

const noClaimable: ClaimableFilter = { projectId: null, jobId: null, queueIds: null };
const claimable: readonly Partial<ClaimableFilter>[] = [{}, { projectId }, { jobId }, { queueIds: ['x1', 'x2'] }];
const noAudit: AuditEntriesOf = {
  projectId: null,
  subjectId: null,
  subjectTypes: null,
  actions: null,
  actor: null,
  since: null,
  until: null,
};
const audit: readonly Partial<AuditEntriesOf>[] = [
  {},
  { projectId },
  { subjectId: id },
  { subjectTypes: ['JOB'] },
  { actions: ['KEY_CREATED'] },
  { actor: 'a' },
  { since: at },
  { until: at },
];
const allKeys: ApiKeysOf = { projectId: null, kinds: ['USER', 'JOB', 'DEVICE'], isLive: null, now: at, jobId: null, deviceId: null };
const keys: readonly Partial<ApiKeysOf>[] = [{}, { projectId }, { isLive: true }, { isLive: false }, { jobId }, { deviceId: id }];

const lists = <F extends object>(
  filters: readonly Partial<F>[],
  none: F,
  asked: Readonly<Record<string, (tx: Tx, filter: F) => unknown>>,
): Call[] =>
  Object.entries(asked).flatMap(([name, ask]) =>
    filters.map((filter) => ({ name: [name, ...nameOf(filter)].join(' '), run: (tx: Tx) => ask(tx, { ...none, ...filter }) })),
  );

const allDevices: DevicesOf = { projectId: null, kinds: null, statuses: null, onlineSince: at, labels: null };
const attempts: AttemptsOf = { deviceId: id, projectId: null, jobId: null };
const fragments: FragmentsOf = { jobId, stepNumber: null, types: ['MODEL'], statuses: ['READY'], filenameKey: null };

const anApplication: ApplicationRow = {
  id: 'new',
  name: 'new',
  description: null,
  itemDefinitions: [],
  settingsSchema: null,
  container: null,
  supportsContinualTraining: false,
  createdAt: at,
  updatedAt: at,
};

async function aStream(tx: Tx, kind: StreamRow['kind']): Promise<StreamRow> {
  const stream = {
    jobId,
    kind,
    last: 10,
    first: 1,
    removed: 0,
    thinned: 0,
    bytes: 10,
    numbered: 0,
    tiered: 0,
    inherited: 0,
    isDeleted: false,
  };
  return (await tx.run(lockStream, { jobId, kind }))[0] ?? stream;
}

const changes: readonly Call[] = [
  { name: 'applicationByName', run: (tx) => applicationByName(tx, 'a') },
  { name: 'saveApplicationFields', run: (tx) => saveApplicationFields(tx, id, { updatedAt: at }) },
  { name: 'removeApplication', run: (tx) => removeApplication(tx, id) },
  { name: 'addApplication', run: (tx) => addApplication(tx, anApplication) },
  { name: 'shiftDeadlines', run: (tx) => shiftDeadlines(tx, 1_000) },
  { name: 'renewLeases all', run: (tx) => renewLeases(tx, at, 'all') },
  { name: 'renewLeases shorter', run: (tx) => renewLeases(tx, at, 'shorter') },
  { name: 'devicesFor', run: (tx) => devicesFor(tx, projectId) },
  { name: 'saveDeviceFields', run: (tx) => saveDeviceFields(tx, id, { updatedAt: at }) },
  { name: 'seeDevices', run: (tx) => seeDevices(tx, { now: at, since: at }) },
  { name: 'removeDevices', run: (tx) => removeDevices(tx, [id]) },
  { name: 'dropOpenParticipants', run: (tx) => dropOpenParticipants(tx, jobId) },
  { name: 'saveParticipant', run: (tx) => saveParticipant(tx, { stepId: id, status: 'TRAINING' }, { numSamples: 1 }) },
  { name: 'saveRound', run: (tx) => saveRound(tx, { jobId, number: 1, status: 'TRAINING' }, { quorum: 1 }) },
  { name: 'saveJobFields', run: (tx) => saveJobFields(tx, jobId, { updatedAt: at }) },
  { name: 'removeJobLabels', run: (tx) => removeJobLabels(tx, jobId) },
  { name: 'takeJobItems', run: (tx) => takeJobItems(tx, jobId) },
  { name: 'keepModelsOfJobs', run: (tx) => keepModelsOfJobs(tx, [jobId]) },
  { name: 'saveKeyFields', run: (tx) => saveKeyFields(tx, id, { lastUsedAt: at }) },
  { name: 'allReservations', run: (tx) => allReservations(tx) },
  { name: 'stepsOnDevices', run: (tx) => stepsOnDevices(tx) },
  { name: 'takeTurn', run: (tx) => takeTurn(tx) },
  ...(['event', 'metric', 'telemetry', 'log'] as const).map((kind) => ({
    name: `removeOldest ${kind}`,
    run: async (tx: Tx) => removeOldest(tx, await aStream(tx, kind), 10),
  })),
  ...(['metric', 'telemetry', 'log'] as const).map((kind) => ({
    name: `removeLeft ${kind}`,
    run: async (tx: Tx) => removeLeft(tx, await aStream(tx, kind), 10),
  })),
  { name: 'removeDeletions', run: (tx) => removeDeletions(tx, at, 10) },
  { name: 'shortenLog', run: async (tx) => shortenLog(tx, await aStream(tx, 'log'), { bytes: 0, limit: 10 }) },
  {
    name: 'thinStream',
    run: async (tx) => thinStream(tx, { ...(await aStream(tx, 'metric')), kind: 'metric' }, [{ seq: 1, stepNumber: 1, name: 'a' }], 1),
  },
  { name: 'remakeTiers', run: (tx) => remakeTiers(tx, { jobId, after: 0, upTo: 10 }) },
  { name: 'removeTiers', run: (tx) => removeTiers(tx, jobId, 1) },
  { name: 'removeTiers all', run: (tx) => removeTiers(tx, jobId, null) },
  { name: 'saveProjectFields', run: (tx) => saveProjectFields(tx, projectId, { updatedAt: at }) },
  { name: 'removeJobs', run: (tx) => removeJobs(tx, [jobId], { now: at, actor: 'a' }) },
  { name: 'removeProject', run: (tx) => removeProject(tx, projectId, { now: at, actor: 'a' }) },
];

const reads: readonly Call[] = [
  ...jobLists,
  ...jobCounts,
  { name: 'matchingIds', run: (tx) => matchingIds(tx, [], [id]) },
  ...[
    { projectId: null, jobId: null, key: null },
    { projectId, jobId: null, key: null },
    { projectId, jobId, key: null },
    { projectId: null, jobId: null, key: 'a' },
    { projectId, jobId: null, key: 'a' },
  ].map((of) => ({ name: `completeLabels ${JSON.stringify(of)}`, run: (tx: Tx) => completeLabels(tx, { ...of, prefix: 'x' }, 2) })),
  ...[
    { projectId: null, jobId: null },
    { projectId, jobId: null },
    { projectId, jobId },
  ].map((of) => ({ name: `readListedEvents ${JSON.stringify(of)}`, run: (tx: Tx) => readListedEvents(tx, { after: 1, ...of }, 10) })),
  { name: 'inSteps', run: (tx) => inSteps(tx, []).next() },
  ...lists(claimable, noClaimable, { listClaimable: (tx, of) => listClaimable(tx, of, { after: null, limit: 10 }), countClaimable }),
  ...lists(audit, noAudit, { listAuditEntries: (tx, of) => listAuditEntries(tx, of, first), countAuditEntries }),
  ...lists(keys, allKeys, { listApiKeys: (tx, of) => listApiKeys(tx, of, first), countApiKeys }),
  { name: 'listApplications', run: (tx) => listApplications(tx, first) },
  { name: 'countApplications', run: (tx) => countApplications(tx) },
  { name: 'listProjects', run: (tx) => listProjects(tx, { projectId: null }, first) },
  { name: 'countProjects', run: (tx) => countProjects(tx, { projectId: null }) },
  { name: 'listDevices', run: (tx) => listDevices(tx, allDevices, first) },
  { name: 'countDevices', run: (tx) => countDevices(tx, allDevices) },
  { name: 'matchingDevices', run: (tx) => matchingDevices(tx, allDevices, [id]) },
  { name: 'changedDevices', run: (tx) => changedDevices(tx, { after: 1, upTo: 2, projectId: id, limit: 1 }) },
  { name: 'listAttempts', run: (tx) => listAttempts(tx, attempts, first) },
  { name: 'countAttempts', run: (tx) => countAttempts(tx, attempts) },
  { name: 'listExperiments', run: (tx) => listExperiments(tx, { projectId }, first) },
  { name: 'countExperiments', run: (tx) => countExperiments(tx, { projectId }) },
  { name: 'listFragments', run: (tx) => listFragments(tx, fragments, first) },
  { name: 'countFragments', run: (tx) => countFragments(tx, fragments) },
  { name: 'listModels', run: (tx) => listModels(tx, { projectId }, first) },
  { name: 'countModels', run: (tx) => countModels(tx, { projectId }) },
  { name: 'listVersions', run: (tx) => listVersions(tx, { modelId: id, jobId: null }, first) },
  { name: 'listVersions job', run: (tx) => listVersions(tx, { modelId: id, jobId }, first) },
  { name: 'countVersions', run: (tx) => countVersions(tx, { modelId: id, jobId: null }) },
  { name: 'readEventsOfTypes', run: (tx) => readEventsOfTypes(tx, { jobId, after: 0, types: null }, portion) },
  { name: 'readEventsOfTypes types', run: (tx) => readEventsOfTypes(tx, { jobId, after: 0, types: ['STEPS_ADDED'] }, portion) },
  { name: 'readFeed', run: (tx) => readFeed(tx, { after: 1, projectId: null, types: null }, portion) },
  { name: 'readFeed project types', run: (tx) => readFeed(tx, { after: 1, projectId, types: ['STEPS_ADDED'] }, portion) },
  { name: 'jobsInFeed', run: (tx) => jobsInFeed(tx, { after: 1, limit: 10, projectId: null }) },
  { name: 'jobsInFeed project', run: (tx) => jobsInFeed(tx, { after: 1, limit: 10, projectId }) },
  { name: 'latestMetricsByName', run: (tx) => latestMetricsByName(tx, jobId, ['a', 'b']) },
  { name: 'latestMetricsOfJobs', run: (tx) => latestMetricsOfJobs(tx, [jobId]) },
  { name: 'storedAmong', run: (tx) => storedAmong(tx, jobId, [1, 2]) },
  { name: 'countGaps', run: (tx) => countGaps(tx, { projectId: null, after: 1, upTo: 1e6 }) },
  { name: 'countGaps project', run: (tx) => countGaps(tx, { projectId, after: 1, upTo: 1e6 }) },
];

/** Reads first, because deletions leave less to read. */
export const calls: readonly Call[] = [...reads, ...changes];
