/** What a client can ask for, each with the figures of a store of a million jobs in mind. */

import type { Gateway } from '../gateway.ts';
import { type HttpConnection, requestOf } from '../http-load.ts';
import type { Filled } from './fill.ts';

/** A gateway on a filled store. */
export interface Side {
  readonly gateway: Gateway;
  readonly filled: Filled;
  readonly connection: HttpConnection;
}

export interface Case {
  readonly name: string;
  /** Makes what the calls need. Resolves to a function that makes one call. */
  prepare(side: Side): Promise<() => Promise<unknown>>;
}

const JOB_FIELDS = 'id name status priority createdAt updatedAt';
const HOUR_MS = 3_600_000;

/** Filters by what they find. Those that find nothing have to look through everything. */
const filters: Readonly<Record<string, (filled: Filled) => object>> = {
  'all jobs': () => ({}),
  'one project': ({ projectId }) => ({ projectId }),
  'a frequent status': () => ({ statuses: ['SUCCEEDED'] }),
  'a rare status': () => ({ statuses: ['CANCELLING'] }),
  'two statuses': () => ({ statuses: ['FAILED', 'CANCELLED'] }),
  'two rare statuses of a project': ({ projectId }) => ({ projectId, statuses: ['CANCELLING', 'SUSPENDED'] }),
  'all but two statuses': () => ({ notStatuses: ['SUCCEEDED', 'QUEUED'] }),
  'a rare type': () => ({ types: ['CONVERSION'] }),
  'two types': () => ({ types: ['CONVERSION', 'VALIDATION'] }),
  'an initiator of none': () => ({ initiators: ['DATA'] }),
  'a frequent owner': () => ({ owner: 'user:7' }),
  'a rare owner': () => ({ owner: 'user:rare' }),
  'an owner of none': () => ({ owner: 'user:nobody' }),
  'an owner, two rare statuses': () => ({ owner: 'user:7', statuses: ['CANCELLING', 'SUSPENDED'] }),
  'a name': () => ({ name: 'resnet 7 fold 7' }),
  'a name that contains': () => ({ nameContains: 'net 77' }),
  'a name that contains, none': () => ({ nameContains: 'transformer' }),
  'a frequent label': () => ({ labels: [{ key: 'team', value: '7' }] }),
  'a rare label': () => ({ labels: [{ key: 'rare', value: 'yes' }] }),
  'a label of none': () => ({ labels: [{ key: 'team', value: 'none' }] }),
  'a rare and a frequent label': () => ({
    labels: [
      { key: 'rare', value: 'yes' },
      { key: 'team', value: '7' },
    ],
  }),
  'a rare key': () => ({ labelFilters: [{ key: 'rare' }] }),
  'without a frequent key': () => ({ labelFilters: [{ key: 'team', isAbsent: true }] }),
  'created after': ({ endsAt }) => ({ createdAfter: new Date(endsAt - HOUR_MS) }),
  'created before all': ({ beginsAt }) => ({ createdBefore: new Date(beginsAt) }),
  'created between, a status': ({ beginsAt }) => ({
    createdAfter: new Date(beginsAt),
    createdBefore: new Date(beginsAt + HOUR_MS),
    statuses: ['FAILED'],
  }),
  'an application': ({ applicationId }) => ({ applicationId }),
  'an experiment': ({ experimentId }) => ({ experimentId }),
  'a device': ({ deviceId }) => ({ deviceId }),
  'a device, a rare status': ({ deviceId }) => ({ deviceId, statuses: ['CANCELLING'] }),
  'a frequent metric': () => ({ hasMetric: 'loss' }),
  'a rare metric': () => ({ hasMetric: 'rare' }),
  'a metric of none': () => ({ hasMetric: 'none' }),
  'a search': () => ({ search: 'resnet fold' }),
  'a search for one': ({ jobId }) => ({ search: jobId.slice(-12) }),
  'a search for none': () => ({ search: 'transformer' }),
  'a search for two letters, none': () => ({ search: 'zq' }),
};

const orders = ['UPDATED_AT', 'PRIORITY', 'NAME', 'STARTED_AT', 'FINISHED_AT', 'DURATION'].map((field) => ({ field, direction: 'DESC' }));

function asking(name: string, query: string, variables: (filled: Filled) => object = () => ({})): Case {
  return {
    name,
    async prepare({ gateway, filled, connection }) {
      const request = requestOf({ query, variables: variables(filled) }, { key: gateway.key });
      return () => connection.ask(request);
    },
  };
}

const list = (name: string, variables: (filled: Filled) => object): Case =>
  asking(
    name,
    `query List($filter: JobFilter, $orderBy: JobOrder) {
      jobs(first: 50, filter: $filter, orderBy: $orderBy) { nodes { ${JOB_FIELDS} } pageInfo { hasNextPage } }
    }`,
    variables,
  );
const total = (name: string, filter: (filled: Filled) => object): Case =>
  asking(name, 'query Total($filter: JobFilter) { jobs(first: 1, filter: $filter) { totalCount } }', (filled) => ({
    filter: filter(filled),
  }));
const countedBy = (by: string, filter: object = {}): Case =>
  asking(
    `counts by ${by}`,
    'query Counts($by: JobCountBy!, $filter: JobFilter, $labelKey: String) { jobCounts(by: $by, filter: $filter, labelKey: $labelKey) { key count } }',
    () => ({ by, filter, ...(by === 'LABEL' ? { labelKey: 'team' } : {}) }),
  );

/** The page that follows the first, so that its cursor is used. */
const nextPage = (
  name: string,
  query: string,
  variables: (filled: Filled) => object,
  cursorIn: (data: string) => string | undefined,
): Case => ({
  name,
  async prepare({ gateway, filled, connection }) {
    const ask = (after?: string) => connection.ask(requestOf({ query, variables: { ...variables(filled), after } }, { key: gateway.key }));
    const after = cursorIn((await ask()).toString());
    if (after === undefined) throw new Error(`No cursor for ${name}.`);
    const request = requestOf({ query, variables: { ...variables(filled), after } }, { key: gateway.key });
    return () => connection.ask(request);
  },
});
const endCursorIn = (text: string) => /"endCursor":"([^"]+)"/.exec(text)?.[1];

const fields: Readonly<Record<string, string>> = {
  JOB_EVENTS: 'query($jobId: ID!, $after: Cursor) { job(id: $jobId) { events(first: 2, after: $after) { endCursor events { at } } } }',
  FEED: 'query($after: Cursor) { events(first: 100, after: $after) { endCursor events { at } } }',
};

const CLAIM = `mutation { claimNextSteps(input: {limit: 1}) { ... on ClaimNextStepsPayload { claims { step { id } lease { token } } } ... on Error { code message } } }`;
const COMPLETE = `mutation Complete($leaseToken: String!) {
  completeStep(input: {leaseToken: $leaseToken}) { ... on CompleteStepPayload { step { status } job { status } } ... on Error { code message } }
}`;

/** A device claims the next step, and completes it. */
const claimAndComplete: Case = {
  name: 'claim and complete',
  async prepare({ gateway, filled, connection }) {
    const { registerDevice } = await gateway.ask<{ registerDevice: { apiKey: string } }>(
      `mutation Register($input: RegisterDeviceInput!) {
        registerDevice(input: $input) { ... on RegisterDevicePayload { apiKey } ... on Error { code message } }
      }`,
      { input: { projectId: filled.projectId, name: `bench-${Date.now()}`, slots: 4, resources: { cpu: 8 } } },
    );
    const key = registerDevice.apiKey;
    const claim = requestOf({ query: CLAIM }, { key });
    return async () => {
      const leaseToken = /"token":"([^"]+)"/.exec((await connection.ask(claim)).toString())?.[1];
      if (leaseToken === undefined) throw new Error('Nothing was claimed.');
      await connection.ask(requestOf({ query: COMPLETE, variables: { leaseToken } }, { key }));
    };
  },
};

const createJob: Case = asking(
  'createJob',
  'mutation Create($input: CreateJobInput!) { createJob(input: $input) { ... on CreateJobPayload { job { id } } ... on Error { code message } } }',
  ({ projectId }) => ({
    input: {
      projectId,
      name: 'Digits',
      labels: [{ key: 'team', value: '1' }],
      steps: [{ name: 'Train', container: { image: 'python:3.13' } }],
    },
  }),
);

const curve = (name: string, args: string): Case =>
  asking(
    name,
    `query Curve($id: ID!) { job(id: $id) { metricCurves(names: ["loss"], maxPoints: 500${args}) { points { value iteration } } } }`,
    ({ longJobId: id }) => ({ id }),
  );

export const cases: readonly Case[] = [
  asking('one job', `query($id: ID!) { job(id: $id) { ${JOB_FIELDS} steps { number name status createdAt } } }`, ({ jobId: id }) => ({
    id,
  })),
  ...Object.entries(filters).map(([name, filter]) => list(name, (filled) => ({ filter: filter(filled) }))),
  ...orders.map((orderBy) => list(`by ${orderBy.field}`, () => ({ orderBy }))),
  list('by METRIC', () => ({ orderBy: { field: 'METRIC', direction: 'ASC', metric: 'loss' } })),
  ...orders.flatMap((orderBy) => [
    list(`by ${orderBy.field}, a project`, ({ projectId }) => ({ orderBy, filter: { projectId } })),
    list(`by ${orderBy.field}, an owner of none`, () => ({ orderBy, filter: { owner: 'user:nobody' } })),
    list(`by ${orderBy.field}, a search for none`, () => ({ orderBy, filter: { search: 'transformer' } })),
  ]),
  list('by METRIC, a rare status', () => ({
    orderBy: { field: 'METRIC', direction: 'ASC', metric: 'loss' },
    filter: { statuses: ['CANCELLING'] },
  })),
  total('total of all jobs', () => ({})),
  total('total of a project', ({ projectId }) => ({ projectId })),
  total('total of a label', () => ({ labels: [{ key: 'team', value: '7' }] })),
  total('total of a rare label', () => ({ labels: [{ key: 'rare', value: 'yes' }] })),
  total('total of a search for none', () => ({ search: 'transformer' })),
  ...['STATUS', 'OWNER', 'TYPE', 'DEVICE', 'EXPERIMENT', 'LABEL'].map((by) => countedBy(by)),
  asking('label keys', 'query { labelKeys }'),
  asking('label values', 'query { labelValues(key: "run", prefix: "12") }'),
  nextPage(
    'jobs, the second page',
    `query($after: String) { jobs(first: 50, after: $after) { nodes { ${JOB_FIELDS} } pageInfo { endCursor } } }`,
    () => ({}),
    endCursorIn,
  ),
  nextPage('events of a job, after a cursor', fields.JOB_EVENTS ?? '', ({ jobId }) => ({ jobId }), endCursorIn),
  asking('the feed, from its beginning', fields.FEED ?? ''),
  nextPage('the feed, after a cursor', fields.FEED ?? '', () => ({}), endCursorIn),
  nextPage(
    'the log, after a cursor',
    'query($id: ID!, $after: Cursor) { job(id: $id) { step(number: 1) { log(first: 100, after: $after) { endCursor chunks { text } } } } }',
    ({ longJobId: id }) => ({ id }),
    endCursorIn,
  ),
  asking(
    'the end of the log',
    'query($id: ID!) { job(id: $id) { step(number: 1) { logEnd(lines: 100) { chunks { text } } } } }',
    ({ longJobId: id }) => ({ id }),
  ),
  asking(
    'a line of the log',
    'query($id: ID!, $line: Int!) { job(id: $id) { step(number: 1) { logFrom(line: $line) { chunks { text } } } } }',
    ({ longJobId: id, jobs }) => ({
      id,
      line: jobs / 10,
    }),
  ),
  asking(
    'a search of the log',
    'query($id: ID!) { job(id: $id) { step(number: 1) { logSearch(text: "no such line") { matches { line } } } } }',
    ({ longJobId: id }) => ({ id }),
  ),
  curve('a whole curve', ''),
  curve('a window of a curve', ', from: 10000, to: 20000'),
  asking('telemetry of a job', 'query($id: ID!) { job(id: $id) { telemetry(maxPoints: 500) { at cpu } } }', ({ longJobId: id }) => ({
    id,
  })),
  asking('keys', 'query { apiKeys(first: 20) { nodes { id name } } }'),
  asking('keys of jobs', 'query { apiKeys(first: 20, kinds: [JOB]) { nodes { id name } } }'),
  asking('keys that have ended', 'query { apiKeys(first: 20, kinds: [JOB], isLive: false) { nodes { id name } } }'),
  asking('keys of a device', 'query($deviceId: ID!) { apiKeys(first: 20, deviceId: $deviceId) { nodes { id name } } }', ({ deviceId }) => ({
    deviceId,
  })),
  asking('total of keys', 'query { apiKeys(first: 1) { totalCount } }'),
  ...(
    [
      ['audit entries', {}],
      ['audit entries of a rare action', { actions: ['KEY_REVOKED'] }],
      ['audit entries of no action', { actions: ['PROJECT_DELETED'] }],
      ['audit entries of a rare subject', { subjectTypes: ['API_KEY'] }],
      ['audit entries until', { until: '2020-01-01T00:00:00Z' }],
      ['audit entries of an actor', { actor: 'user:nobody' }],
    ] as const
  ).map(([name, filter]) =>
    asking(name, 'query($filter: AuditFilter) { auditLog(first: 20, filter: $filter) { nodes { id } } }', () => ({ filter })),
  ),
  asking('total of audit entries', 'query { auditLog(first: 1) { totalCount } }'),
  asking('claimable steps', 'query { claimableSteps(first: 50) { nodes { id } } }'),
  asking(
    'claimable steps of a project',
    'query($projectId: ID!) { claimableSteps(first: 50, filter: {projectId: $projectId}) { nodes { id } } }',
    ({ projectId }) => ({ projectId }),
  ),
  asking(
    'claimable steps of a device',
    'query($deviceId: ID!) { claimableSteps(first: 50, filter: {deviceId: $deviceId}) { nodes { id } } }',
    ({ deviceId }) => ({ deviceId }),
  ),
  asking('total of claimable steps', 'query { claimableSteps(first: 1) { totalCount } }'),
  asking('devices', 'query { devices(first: 50) { nodes { id name status } } }'),
  asking('devices that are online', 'query { devices(first: 50, filter: {statuses: [ONLINE]}) { nodes { id name status } } }'),
  asking(
    'devices with a label',
    'query { devices(first: 50, filter: {labels: [{key: "rack", value: "none"}]}) { nodes { id name status } } }',
  ),
  asking('why not', 'query($id: ID!) { step(id: $id) { whyNot { device { id } } } }', ({ waitingStepId: id }) => ({ id })),
  createJob,
  claimAndComplete,
];
