import { sees } from '../../domain/access/rights.ts';
import { badRequest, gone } from '../../domain/core/refusals.ts';
import { jobsByIdOf, type ShownJob } from '../../store/queries/jobs.ts';
import { ALL_COLUMNS, forEachChoice } from '../../store/statements/choice.ts';
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

/** Null: there is none, or it may not be seen. */
const jobByIdOf = forEachChoice((choice) =>
  defineLoader<string, ShownJob | null>(async (context, ids) => {
    const principal = viewerOf(context);
    const rows = await jobsByIdOf(choice)(context.domain.store.read, ids);
    return byId(
      ids,
      rows.filter(({ id, projectId }) => sees(principal, { projectId, jobId: id })),
    );
  }),
);
export const jobById = jobByIdOf(ALL_COLUMNS);
readNodes('Job', jobById);

/** The job of something that may be seen, which its job then may too. Throws NOT_FOUND when it was deleted since. */
export async function jobOf(context: Context, jobId: string): Promise<ShownJob> {
  const job = await jobById.load(context, jobId);
  if (!job) throw gone('job', jobId);
  return job;
}

/** The job that a subscription is about. Throws BAD_REQUEST when there is none that this key may see. */
export async function watchedJob(context: Context, jobId: string): Promise<ShownJob> {
  const job = await jobById.load(context, jobId);
  if (!job) throw badRequest.noJob('jobId', jobId);
  return job;
}

const ComputeTime = builder
  .objectRef<Pick<ShownJob, 'cpuStartedAt' | 'cpuEndedAt' | 'gpuStartedAt' | 'gpuEndedAt'>>('ComputeTime')
  .implement({
    description: 'When a job really computed, as the device that ran it reported; what it did not report is null.',
    fields: (t) => ({
      cpuStartedAt: t.expose('cpuStartedAt', { type: 'DateTime', nullable: true, description: 'When work on processors began.' }),
      cpuEndedAt: t.expose('cpuEndedAt', { type: 'DateTime', nullable: true, description: 'When work on processors ended.' }),
      gpuStartedAt: t.expose('gpuStartedAt', { type: 'DateTime', nullable: true, description: 'When work on GPUs began.' }),
      gpuEndedAt: t.expose('gpuEndedAt', { type: 'DateTime', nullable: true, description: 'When work on GPUs ended.' }),
    }),
  });

Job.implement({
  description:
    'One execution, made of steps that devices claim and run in order of their number. What happens to it is stored as events, and what its steps ' +
    'report as metrics, telemetry and log; each can be read in pages or watched.',
  interfaces: [Node],
  fields: (t) => ({
    ...shownJobFields(t),
    type: t.expose('type', { type: JobType, description: 'What it is for.' }),
    initiator: t.expose('initiator', { type: JobInitiator, description: 'What started it.' }),
    status: t.expose('status', { type: JobStatus, description: 'How far it has come. `history` says why.' }),
    project: t.field({
      type: Project,
      description: 'The project that owns it.',
      extensions: reads<ShownJob>('projectId'),
      resolve: ({ projectId }, _, context) => projectOf(context, projectId),
    }),
    owner: t.exposeString('owner', { description: 'Who created it: the name of the key, as `user:alice`.' }),
    container: t.expose('container', {
      type: Container,
      nullable: true,
      description: 'What its steps run where they have no container of their own. Null: each says so itself.',
    }),
    settings: t.expose('settings', {
      type: 'JSONObject',
      description:
        "The settings that it runs with: what was given, overrides applied, filled up by the defaults of its application's schema. Its steps find them " +
        'in a file named by TRAINYARD_SETTINGS.',
    }),
    settingsWarnings: t.exposeStringList('settingsWarnings', {
      description: "The settings that its application's schema does not know, by their dot paths. They were taken all the same.",
    }),
    settingsSources: t.expose('settingsSources', {
      type: 'JSONObject',
      description:
        'Where each of its settings came from, by its dot path: `DEFAULT`, `GIVEN` or `OVERRIDE`, as SettingSource says. A list is one setting.',
    }),
    output: t.expose('output', {
      type: 'JSONObject',
      nullable: true,
      description: 'The result document that it reported. Null: none yet.',
    }),
    device: t.field({
      type: Device,
      nullable: true,
      description: 'The device of the newest attempt at any of its steps. Null: none yet, it is gone, or this key may not see it.',
      extensions: reads<ShownJob>('deviceId'),
      resolve: ({ deviceId }, _, context) => (deviceId === null ? null : deviceById.load(context, deviceId)),
    }),
    agentName: t.string({
      nullable: true,
      description: 'The name of that device; null where `device` is.',
      extensions: reads<ShownJob>('deviceId'),
      resolve: async ({ deviceId }, _, context) => (deviceId === null ? null : ((await deviceById.load(context, deviceId))?.name ?? null)),
    }),
    computeTime: t.field({ type: ComputeTime, description: 'When it really computed, as its device reported.', resolve: (job) => job }),
    httpUrl: t.exposeString('httpUrl', {
      nullable: true,
      description: 'Where what it runs can be opened in a browser, if it said so and still runs.',
    }),
    sshServer: t.exposeString('sshServer', { nullable: true, description: 'Where it can be reached by SSH, if it said so.' }),
    internalHostname: t.exposeString('internalHostname', {
      nullable: true,
      description: 'Under what name other jobs can reach it, if it said so.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      description: 'When its status or its own fields last changed; later with each change. For expectedUpdatedAt.',
    }),
    startedAt: t.expose('startedAt', { type: 'DateTime', nullable: true, description: 'When its first step was claimed. Null: not yet.' }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true, description: 'When it reached its end. Null: not yet.' }),
  }),
});

builder.queryField('job', (t) =>
  t.field({
    type: Job,
    nullable: true,
    description: 'The job with this id. Null: there is none, or this key may not see it.',
    args: { id: t.arg.id({ required: true, description: 'Its id: `job_…`.' }) },
    resolve: (_, { id }, context, info) => jobByIdOf(chosenColumns(info)).load(context, id),
  }),
);
