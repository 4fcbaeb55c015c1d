/**
 * The right that each operation needs. The guards check this table first, and docs/rights.md is
 * made from it.
 *
 * `needs` says whether a key may run the operation at all; rights.ts says which keys have the
 * right. The operation then applies only to what the principal sees. `within` describes further
 * restrictions.
 */
import type { NodeType } from '../core/ids.ts';
import type { Principal } from './principal.ts';
import { type Action, may, requireAllProjects, requireRight } from './rights.ts';

export interface Operation {
  readonly needs: Action;
  /** The right that lets a key do this to itself. */
  readonly orItself?: Action;
  /**
   * The answer without the right. Default: FORBIDDEN. `null` for a look-up by id: the object then
   * does not exist for the key.
   */
  readonly without?: 'null';
  /** Only for keys of all projects, because the operation concerns no single project. */
  readonly forAllProjects?: true;
  readonly within?: string;
}

const ofDevice = 'a DEVICE key: its own device';
const underLease = 'the step whose lease token comes with it';

export const operations = {
  Query: {
    apiKeys: { needs: 'readJobKeys', within: 'EDITOR: keys of kind JOB and WATCH' },
    application: { needs: 'readApplications', without: 'null' },
    applications: { needs: 'readApplications' },
    auditLog: { needs: 'readAudit', within: 'of a project’s ADMIN: what was done to that project' },
    claimableSteps: { needs: 'readJobs', within: 'by `deviceId`: of a device that it sees' },
    device: { needs: 'readDevices', without: 'null' },
    compareMetric: { needs: 'readJobs' },
    devices: { needs: 'readDevices' },
    events: { needs: 'readJobs' },
    experiment: { needs: 'readExperiments', without: 'null' },
    experiments: { needs: 'readExperiments' },
    fragment: { needs: 'readFragments', without: 'null', within: 'WATCH: files of the job, none of the project itself' },
    gateway: { needs: 'ask' },
    job: { needs: 'readJobs', without: 'null' },
    jobCounts: { needs: 'readJobs' },
    jobs: { needs: 'readJobs' },
    labelKeys: { needs: 'readJobs' },
    labelValues: { needs: 'readJobs' },
    model: { needs: 'readModels', without: 'null' },
    models: { needs: 'readModels' },
    node: { needs: 'ask', without: 'null', within: 'by the right to the type that the id names' },
    nodes: { needs: 'ask', within: 'each by the right to the type that its id names' },
    project: { needs: 'readProjects', without: 'null' },
    projects: { needs: 'readProjects' },
    step: { needs: 'readJobs', without: 'null' },
    viewer: { needs: 'ask' },
  },
  Mutation: {
    addSteps: { needs: 'addSteps' },
    appendLog: { needs: 'useLease', within: underLease },
    cancelJob: { needs: 'cancelJob' },
    claimNextSteps: { needs: 'claimSteps', within: ofDevice },
    claimStep: { needs: 'claimSteps', within: ofDevice },
    completeStep: { needs: 'useLease', within: underLease },
    completeSteps: { needs: 'useLease', within: underLease },
    createApiKey: {
      needs: 'createJobKeys',
      within: 'EDITOR: keys of kind JOB and WATCH; ADMIN: of all kinds; none for more than its maker sees',
    },
    createApplication: { needs: 'writeApplications', forAllProjects: true },
    createExperiment: { needs: 'createExperiment' },
    createFragment: { needs: 'writeFragments', within: 'DEVICE: under a lease; JOB and lease: files of the job' },
    createJob: { needs: 'createJob' },
    createModel: { needs: 'createModel' },
    createModelVersion: { needs: 'createModel' },
    createProject: { needs: 'createProject', forAllProjects: true },
    deleteApplication: { needs: 'writeApplications', forAllProjects: true },
    deleteDevice: { needs: 'deleteDevice' },
    deleteFragment: { needs: 'deleteFragments', within: 'JOB and lease: files of the job' },
    deleteJob: { needs: 'deleteJob' },
    deleteProject: { needs: 'deleteProject' },
    execInStep: { needs: 'enterSteps', within: 'a step that runs' },
    failStep: { needs: 'useLease', within: underLease },
    forwardPort: { needs: 'enterSteps', within: 'a step that runs' },
    inviteDevice: { needs: 'inviteDevices' },
    joinDevice: { needs: 'joinDevice', within: 'a join link: one device, once' },
    openHttp: { needs: 'openHttp', within: 'a step that runs and has an HTTP port' },
    registerDevice: {
      needs: 'registerDevice',
      within: 'a DEVICE key: under the name of its own device; of no project: by a key of all projects',
    },
    releaseStep: { needs: 'useLease', within: underLease },
    renewLease: { needs: 'useLease', within: underLease },
    reportDeviceTelemetry: { needs: 'updateDevice', within: ofDevice },
    reportMetrics: { needs: 'useLease', within: underLease },
    reportProgress: { needs: 'useLease', within: underLease },
    reportTelemetry: { needs: 'useLease', within: underLease },
    retryJob: { needs: 'createJob' },
    revokeApiKey: { needs: 'changeJobKeys', orItself: 'revokeOwnKey', within: 'EDITOR: keys of kind JOB and WATCH' },
    rotateApiKey: { needs: 'changeJobKeys', orItself: 'rotateOwnKey', within: 'EDITOR: keys of kind JOB and WATCH' },
    setJobOutput: { needs: 'writeOutput', within: 'DEVICE: under a lease' },
    triggerJob: { needs: 'createJob' },
    updateApiKey: { needs: 'changeJobKeys', within: 'EDITOR: keys of kind JOB and WATCH' },
    updateApplication: { needs: 'writeApplications', forAllProjects: true },
    updateDevice: { needs: 'updateDevice', within: ofDevice },
    updateJob: { needs: 'updateJob', within: '`priority`, `type`, `applicationId` and the start model: not by a key of the job' },
    updateProject: { needs: 'updateProject' },
  },
  Subscription: {
    claimableSteps: { needs: 'readDevices' },
    events: { needs: 'readJobs' },
    jobCounts: { needs: 'readJobs' },
    deviceList: { needs: 'readDevices' },
    jobList: { needs: 'readJobs' },
    jobStatus: { needs: 'readJobs' },
    jobUpdated: { needs: 'readJobs' },
    jobsUpdated: { needs: 'readJobs' },
    log: { needs: 'readJobs' },
    metrics: { needs: 'readJobs' },
    metricsOfJobs: { needs: 'readJobs' },
    telemetry: { needs: 'readJobs' },
  },
} as const satisfies Record<string, Readonly<Record<string, Operation>>>;

/** The row of a root field. Undefined if the table has none. */
export function operationOf(root: string, field: string): Operation | undefined {
  const rows: Readonly<Record<string, Readonly<Record<string, Operation>>>> = operations;
  return rows[root]?.[field];
}

/** Whether to run the operation; false: the answer is `null`. Throws FORBIDDEN. */
export function admit(principal: Principal, { needs, orItself, without, forAllProjects }: Operation): boolean {
  if (without === 'null') return may(principal, needs);
  if (orItself !== undefined && may(principal, orItself)) return true;
  if (forAllProjects) requireAllProjects(principal, needs);
  else requireRight(principal, needs);
  return true;
}

/**
 * The right to look up each type by its id. Without it, the answer is null. The rights to its
 * fields are in fields.ts.
 */
export const rightToRead = {
  Project: 'readProjects',
  Job: 'readJobs',
  JobItem: 'readJobs',
  Step: 'readJobs',
  Fragment: 'readFragments',
  Device: 'readDevices',
  Application: 'readApplications',
  Experiment: 'readExperiments',
  Model: 'readModels',
  ModelVersion: 'readModels',
  // A key may read itself.
  ApiKey: 'ask',
  AuditEntry: 'readAudit',
} as const satisfies Record<NodeType, Action>;

/** Endpoints that are not GraphQL root fields. Those without `needs` are open to anyone. */
export const endpoints: Readonly<Record<string, Pick<Operation, 'forAllProjects' | 'within'> & { readonly needs?: Action }>> = {
  'POST, GET /graphql': { needs: 'ask', within: 'each root field by its own right; introspection is for any key' },
  'WebSocket, SSE on /graphql': { needs: 'ask', within: 'the same; they end with the key' },
  'GraphiQL and the console, their pages and files': { within: 'what they ask needs a key' },
  'GET, HEAD /fragments/ID': { needs: 'readFragments', within: 'or with its signed URL, until that expires' },
  'PUT /fragments/ID': {
    needs: 'writeFragments',
    within: 'DEVICE: files that its own lease created; or with its signed URL, until that expires',
  },
  'GET /metrics': { needs: 'readMetrics', forAllProjects: true, within: 'at its own address, if one is set, without a key' },
  'GET /health/live, /health/ready': {},
  '/jobs/ID/http/…': { needs: 'openHttp', within: 'or with the path that openHttp makes, until it, its key or the attempt ends' },
  'WebSocket on /steps/session': { within: 'a token of execInStep or forwardPort, until it, its key or the attempt ends' },
  'GET /tunnel': { needs: 'openTunnel', within: 'to its own steps' },
  'POST, DELETE /session': { needs: 'ask', within: 'a session is its key, for twelve hours at most; pages of the gateway only' },
};
