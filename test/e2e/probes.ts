/**
 * For every root field an operation that names an object: one's own, one of another project, and
 * one that does not exist.
 */
import type { operations } from '../../src/domain/access/operations.ts';
import type { World } from './world.ts';

/** The objects that the operations name. */
export interface Aim {
  readonly project: string;
  readonly job: string;
  readonly step: string;
  readonly leaseToken: string;
  readonly device: string;
  readonly experiment: string;
  readonly model: string;
  /** The same for all projects. */
  readonly application: string;
  readonly file: string;
  /** A WATCH key of the job. */
  readonly key: string;
}

/** Objects of the world that the job keys are for, and of its other project. */
export async function aimsOf(world: World): Promise<{ home: Aim; foreign: Aim; missing: Aim }> {
  const linkTo = async (job: string) => (await world.makeKey(`kind: WATCH, jobId: "${job}"`)).apiKeyId;
  const { own, foreign, application } = world;
  const home: Aim = { ...world, job: own, key: await linkTo(own) };
  return { home, foreign: { ...foreign, application, key: await linkTo(foreign.job) }, missing: missingOf(home) };
}

/** Ids of the same form for objects that do not exist. */
function missingOf({ project, job, step, leaseToken, device, experiment, model, application, file, key }: Aim): Aim {
  const missing = (id: string) => `${id.slice(0, -6)}zzzzzz`;
  return {
    ...{
      project: missing(project),
      job: missing(job),
      step: missing(step),
      device: missing(device),
      file: missing(file),
      key: missing(key),
    },
    ...{ experiment: missing(experiment), model: missing(model), application: missing(application) },
    // A lease token names its step before its secret. This one names another step.
    leaseToken: leaseToken.replace(/^(lease_.{20}).{6}/, '$1zzzzzz'),
  };
}

type Documents<Root extends keyof typeof operations> = Readonly<Record<keyof (typeof operations)[Root], (aim: Aim) => string>>;

export const queries: Documents<'Query'> = {
  apiKeys: ({ job }) => `{ apiKeys(jobId: "${job}") { totalCount nodes { id } } }`,
  application: ({ application }) => `{ application(id: "${application}") { id } }`,
  applications: () => '{ applications(first: 1) { totalCount } }',
  auditLog: ({ project }) => `{ auditLog(filter: {projectId: "${project}"}) { totalCount nodes { subjectId } } }`,
  claimableSteps: ({ project }) => `{ claimableSteps(filter: {projectId: "${project}"}) { totalCount nodes { id } } }`,
  compareMetric: ({ job }) => `{ compareMetric(name: "loss", jobIds: ["${job}"]) { cursor } }`,
  device: ({ device }) => `{ device(id: "${device}") { id } }`,
  devices: ({ project }) => `{ devices(filter: {projectId: "${project}"}) { totalCount nodes { id } } }`,
  events: ({ job }) => `{ events(filter: {jobId: "${job}"}) { events { cursor } } }`,
  experiment: ({ experiment }) => `{ experiment(id: "${experiment}") { id } }`,
  experiments: ({ project }) => `{ experiments(projectId: "${project}") { totalCount nodes { id } } }`,
  fragment: ({ file }) => `{ fragment(id: "${file}") { id } }`,
  gateway: () => '{ gateway { version } }',
  job: ({ job }) => `{ job(id: "${job}") { id } }`,
  jobCounts: ({ project }) => `{ jobCounts(filter: {projectId: "${project}"}) { key count } }`,
  jobs: ({ project }) => `{ jobs(filter: {projectId: "${project}"}) { totalCount nodes { id } } }`,
  labelKeys: ({ project }) => `{ labelKeys(projectId: "${project}") }`,
  labelValues: ({ project }) => `{ labelValues(projectId: "${project}", key: "k") }`,
  model: ({ model }) => `{ model(id: "${model}") { id } }`,
  models: ({ project }) => `{ models(projectId: "${project}") { totalCount nodes { id } } }`,
  node: ({ step }) => `{ node(id: "${step}") { id } }`,
  nodes: ({ job, file }) => `{ nodes(ids: ["${job}", "${file}"]) { id } }`,
  project: ({ project }) => `{ project(id: "${project}") { id } }`,
  projects: () => '{ projects { totalCount } }',
  step: ({ step }) => `{ step(id: "${step}") { id } }`,
  viewer: () => '{ viewer { name } }',
};

const change = (name: string, input: string) => `mutation { ${name}(input: {${input}}) { __typename ... on Error { code message } } }`;
const underLease =
  (name: string, more = '') =>
  ({ leaseToken }: Aim) =>
    change(name, `leaseToken: "${leaseToken}" ${more}`);

/** In this order: mutations that end what others need come last. */
export const mutations: Documents<'Mutation'> = {
  addSteps: ({ job }) => change('addSteps', `jobId: "${job}", steps: [{name: "s"}]`),
  appendLog: underLease('appendLog', 'chunks: [{offset: 0, text: "x"}]'),
  claimNextSteps: ({ project, device }) => change('claimNextSteps', `projectId: "${project}", deviceId: "${device}", waitSeconds: 0`),
  claimStep: ({ job, device }) => change('claimStep', `jobId: "${job}", stepNumber: 0, deviceId: "${device}"`),
  createApiKey: ({ job }) => change('createApiKey', `name: "k", kind: WATCH, jobId: "${job}"`),
  createApplication: ({ project }) => change('createApplication', `name: "of ${project}"`),
  createExperiment: ({ project }) => change('createExperiment', `projectId: "${project}", name: "e"`),
  createModel: ({ project }) => change('createModel', `projectId: "${project}", name: "m"`),
  createModelVersion: ({ model, file }) => change('createModelVersion', `modelId: "${model}", fragmentId: "${file}"`),
  createFragment: ({ job, leaseToken }) =>
    change('createFragment', `jobId: "${job}", leaseToken: "${leaseToken}", filename: "new", type: DATA, text: "t"`),
  createJob: ({ project }) => change('createJob', `projectId: "${project}", name: "j"`),
  execInStep: ({ job }) => change('execInStep', `jobId: "${job}", command: ["true"]`),
  forwardPort: ({ job }) => change('forwardPort', `jobId: "${job}", port: 80`),
  openHttp: ({ job }) => change('openHttp', `jobId: "${job}"`),
  createProject: ({ project }) => change('createProject', `name: "like ${project}"`),
  inviteDevice: ({ project }) => change('inviteDevice', `projectId: "${project}"`),
  joinDevice: () => change('joinDevice', 'name: "joined", idempotencyKey: "k"'),
  registerDevice: ({ project }) => change('registerDevice', `projectId: "${project}", name: "d"`),
  renewLease: underLease('renewLease'),
  reportMetrics: underLease('reportMetrics', 'metrics: [{name: "loss", value: 1}]'),
  reportProgress: underLease('reportProgress', 'statusMessage: "m"'),
  reportTelemetry: underLease('reportTelemetry', 'samples: [{cpu: 1, memoryMb: 1}]'),
  setJobOutput: ({ job, leaseToken }) => change('setJobOutput', `jobId: "${job}", leaseToken: "${leaseToken}", output: {a: 1}`),
  triggerJob: ({ project }) => change('triggerJob', `projectId: "${project}"`),
  retryJob: ({ job }) => change('retryJob', `jobId: "${job}"`),
  updateApiKey: ({ key }) => change('updateApiKey', `apiKeyId: "${key}", name: "renamed"`),
  updateApplication: ({ application }) => change('updateApplication', `applicationId: "${application}", description: "d"`),
  updateDevice: ({ device }) => change('updateDevice', `deviceId: "${device}", slots: 3`),
  reportDeviceTelemetry: ({ device }) => change('reportDeviceTelemetry', `deviceId: "${device}", samples: [{cpu: 1, memoryMb: 1}]`),
  updateJob: ({ job }) => change('updateJob', `jobId: "${job}", statusMessage: "m"`),
  updateProject: ({ project }) => change('updateProject', `projectId: "${project}", name: "q"`),
  rotateApiKey: ({ key }) => change('rotateApiKey', `apiKeyId: "${key}"`),
  revokeApiKey: ({ key }) => change('revokeApiKey', `apiKeyId: "${key}"`),
  deleteApplication: ({ application }) => change('deleteApplication', `applicationId: "${application}"`),
  deleteFragment: ({ file }) => change('deleteFragment', `fragmentId: "${file}"`),
  // The job runs, so nothing that it needs can be deleted: INVALID_STATE, which reveals that the
  // object exists.
  deleteDevice: ({ device }) => change('deleteDevice', `deviceId: "${device}"`),
  deleteJob: ({ job }) => change('deleteJob', `jobId: "${job}"`),
  deleteProject: ({ project }) => change('deleteProject', `projectId: "${project}"`),
  releaseStep: underLease('releaseStep'),
  failStep: underLease('failStep'),
  completeStep: underLease('completeStep'),
  completeSteps: ({ leaseToken }) =>
    `mutation { completeSteps(input: {steps: [{leaseToken: "${leaseToken}"}]}) {
      __typename ... on CompleteStepsPayload { results { __typename ... on Error { code message } } } ... on Error { code message }
    } }`,
  cancelJob: ({ job }) => change('cancelJob', `jobId: "${job}"`),
};

export const subscriptions: Documents<'Subscription'> = {
  claimableSteps: ({ device }) => `subscription { claimableSteps(deviceId: "${device}") }`,
  events: ({ job }) => `subscription { events(filter: {jobId: "${job}"}) { cursor } }`,
  jobCounts: ({ project }) => `subscription { jobCounts(filter: {projectId: "${project}"}) { key count } }`,
  deviceList: ({ project }) => `subscription { deviceList(filter: {projectId: "${project}"}) { state devices { id } removedIds } }`,
  jobList: ({ project }) => `subscription { jobList(filter: {projectId: "${project}"}) { state jobs { id } removedIds } }`,
  jobStatus: ({ job }) => `subscription { jobStatus(jobId: "${job}") { cursor } }`,
  jobUpdated: ({ job }) => `subscription { jobUpdated(jobId: "${job}") { id } }`,
  jobsUpdated: ({ project }) => `subscription { jobsUpdated(filter: {projectId: "${project}"}) { id } }`,
  log: ({ job }) => `subscription { log(jobId: "${job}") { cursor } }`,
  metrics: ({ job }) => `subscription { metrics(jobId: "${job}") { cursor } }`,
  metricsOfJobs: ({ job }) => `subscription { metricsOfJobs(jobIds: ["${job}"]) { cursor } }`,
  telemetry: ({ job }) => `subscription { telemetry(jobId: "${job}") { cursor } }`,
};
