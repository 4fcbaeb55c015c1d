import type { GraphQLResolveInfo } from 'graphql';
import { sees } from '../../domain/access/rights.ts';
import { badRequest, gone } from '../../domain/core/request-refusals.ts';
import { jobsByIdOf, type ShownJob } from '../../store/queries/jobs.ts';
import { chooseColumns, forEachChoice } from '../../store/statements/choice.ts';
import { builder } from '../core/builder.ts';
import { chosenColumns, reads } from '../core/chosen-columns.ts';
import { type Context, viewerOf } from '../core/context.ts';
import { JobInitiator, JobStatus, JobType } from '../core/enums.ts';
import { byId, defineLoader } from '../core/loaders.ts';
import { Node, readNodes } from '../core/node.ts';
import { Device, Job, Project } from '../core/nouns.ts';
import { deviceById } from '../devices.ts';
import { projectOf } from '../projects.ts';
import { Container } from './containers.ts';
import { shownJobFields } from './fields.ts';

/** Null when there is none or the caller may not see it. */
const jobByIdOf = forEachChoice((choice) =>
  defineLoader<string, ShownJob | null>(async (context, ids) => {
    const principal = viewerOf(context);
    const rows = await jobsByIdOf(choice)(context.read, ids);
    return byId(
      ids,
      rows.filter(({ id, projectId }) => sees(principal, { projectId, jobId: id })),
    );
  }),
);
readNodes('Job', (context, id, info) => jobByIdOf(chosenColumns(info, { type: 'Job' })).load(context, id));

/**
 * The job for a field, with what is selected of it. Null when there is none or the caller may not
 * see it.
 */
export const shownJob = (context: Context, jobId: string | null, info: GraphQLResolveInfo): Promise<ShownJob | null> | null =>
  jobId === null ? null : jobByIdOf(chosenColumns(info)).load(context, jobId);

/** These columns of a job. Null when there is none or the caller may not see it. */
export const jobWith = <C extends keyof ShownJob>(context: Context, jobId: string, ...columns: C[]): Promise<Pick<ShownJob, C> | null> =>
  jobByIdOf(chooseColumns(columns)).load(context, jobId);

/**
 * The job of an object that the caller may see: it may see the job too. Throws NOT_FOUND when the
 * job was deleted meanwhile.
 */
export async function jobOf(context: Context, jobId: string, info: GraphQLResolveInfo): Promise<ShownJob> {
  const job = await shownJob(context, jobId, info);
  if (!job) throw gone('job', jobId);
  return job;
}

/** The job of a subscription. Throws BAD_REQUEST when there is none that the caller may see. */
export async function watchedJob(context: Context, jobId: string): Promise<Pick<ShownJob, 'id' | 'projectId'>> {
  const job = await jobWith(context, jobId, 'id', 'projectId');
  if (!job) throw badRequest.noJob('jobId', jobId);
  return job;
}

/** The most jobs to compare: more than anyone tells apart by colour. */
export const MOST_COMPARED = 50;

/** The jobs of `jobIds`, each once. Throws BAD_REQUEST for too many, or one that there is not. */
export async function comparedJobs(context: Context, jobIds: readonly string[]): Promise<Pick<ShownJob, 'id' | 'startedAt'>[]> {
  if (jobIds.length > MOST_COMPARED) throw badRequest.tooManyEntries('jobIds', MOST_COMPARED);
  return Promise.all(
    [...new Set(jobIds)].map(async (id) => {
      const job = await jobWith(context, id, 'id', 'startedAt');
      if (!job) throw badRequest.noJob('jobIds', id);
      return job;
    }),
  );
}

const ComputeTime = builder
  .objectRef<Pick<ShownJob, 'cpuStartedAt' | 'cpuEndedAt' | 'gpuStartedAt' | 'gpuEndedAt'>>('ComputeTime')
  .implement({
    description: 'When a job was computing, as its device reported. Times that it did not report are null.',
    fields: (t) => ({
      cpuStartedAt: t.expose('cpuStartedAt', { type: 'DateTime', nullable: true, description: 'When work on processors began.' }),
      cpuEndedAt: t.expose('cpuEndedAt', { type: 'DateTime', nullable: true, description: 'When work on processors ended.' }),
      gpuStartedAt: t.expose('gpuStartedAt', { type: 'DateTime', nullable: true, description: 'When work on GPUs began.' }),
      gpuEndedAt: t.expose('gpuEndedAt', { type: 'DateTime', nullable: true, description: 'When work on GPUs ended.' }),
    }),
  });

Job.implement({
  description:
    'One run, made of steps that devices claim and run in order. Its changes are stored as events. Its steps report metrics, ' +
    'telemetry and a log. Each of these can be read in pages or watched live.',
  interfaces: [Node],
  fields: (t) => ({
    ...shownJobFields(t),
    type: t.expose('type', { type: JobType, description: 'Its purpose.' }),
    initiator: t.expose('initiator', { type: JobInitiator, description: 'What started it.' }),
    status: t.expose('status', { type: JobStatus, description: 'Its status. `history` says why.' }),
    project: t.field({
      type: Project,
      description: 'The project that owns it.',
      extensions: reads<ShownJob>('projectId'),
      resolve: ({ projectId }, _, context, info) => projectOf(context, projectId, info),
    }),
    owner: t.exposeString('owner', { description: 'The key that created it, by name: `user:alice`.' }),
    container: t.expose('container', {
      type: Container,
      nullable: true,
      description: 'What its steps run unless they have a container of their own. Null: there is none.',
    }),
    settings: t.expose('settings', {
      type: 'JSONObject',
      description:
        "The settings that it runs with: the given settings with overrides applied and defaults from its application's schema. Its " +
        'steps read them from the file named by TRAINYARD_SETTINGS.',
    }),
    settingsWarnings: t.exposeStringList('settingsWarnings', {
      description: "The dot paths of settings that its application's schema does not define. They were accepted.",
    }),
    settingsSources: t.expose('settingsSources', {
      type: 'JSONObject',
      description:
        'Where each of its settings came from, keyed by dot path: `DEFAULT`, `GIVEN` or `OVERRIDE` (see SettingSource). A list ' +
        'counts as one setting.',
    }),
    output: t.expose('output', {
      type: 'JSONObject',
      nullable: true,
      description: 'The result document. Null: none has been reported.',
    }),
    device: t.field({
      type: Device,
      nullable: true,
      description:
        'The device of the newest attempt at any of its steps. Null: no attempt yet, the device was deleted, or this key may not see ' +
        'it.',
      extensions: reads<ShownJob>('deviceId'),
      resolve: ({ deviceId }, _, context) => (deviceId === null ? null : deviceById.load(context, deviceId)),
    }),
    agentName: t.string({
      nullable: true,
      description: 'The name of `device`. Null when `device` is null.',
      extensions: reads<ShownJob>('deviceId'),
      resolve: async ({ deviceId }, _, context) => (deviceId === null ? null : ((await deviceById.load(context, deviceId))?.name ?? null)),
    }),
    computeTime: t.field({
      type: ComputeTime,
      description: 'When it was computing, as its device reported.',
      extensions: reads<ShownJob>('cpuStartedAt', 'cpuEndedAt', 'gpuStartedAt', 'gpuEndedAt'),
      resolve: (job) => job,
    }),
    httpUrl: t.exposeString('httpUrl', {
      nullable: true,
      description:
        'The URL where it can be opened in a browser. Set while a step runs that reported one. A path is relative to the ' +
        "gateway's address: the gateway passes requests with a key on to the step, and `openHttp` makes a link for a browser.",
    }),
    sshServer: t.exposeString('sshServer', { nullable: true, description: 'The SSH address, if its step reported one.' }),
    internalHostname: t.exposeString('internalHostname', {
      nullable: true,
      description: 'The host name where other jobs can reach it, if its step reported one.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      description: 'When its status or its own fields last changed. Every change makes it later. Pass it as expectedUpdatedAt.',
    }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When its first step was claimed. Null: none has been.',
    }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true, description: 'When it ended. Null: it has not ended.' }),
  }),
});

builder.queryField('job', (t) =>
  t.field({
    type: Job,
    nullable: true,
    description: 'The job with this id. Null when there is none or this key may not see it.',
    args: { id: t.arg.id({ required: true, description: 'Its id: `job_…`.' }) },
    resolve: (_, { id }, context, info) => shownJob(context, id, info),
  }),
);
