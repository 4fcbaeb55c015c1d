import { rightToRead } from '../domain/access/operations.ts';
import { may, requireRight, scopeOf, sees } from '../domain/access/rights.ts';
import { InvalidInput, NotFound } from '../domain/core/refusals.ts';
import { createExperiment } from '../domain/jobs/experiments.ts';
import {
  countExperiments,
  currentJobsOfExperiments,
  experimentsByIds,
  listExperiments,
  newestResults,
} from '../store/queries/experiments.ts';
import type { ShownJob } from '../store/queries/jobs.ts';
import type { ExperimentRow, ProjectRow } from '../store/schema/tables.ts';
import { builder } from './core/builder.ts';
import { chosenColumns, reads } from './core/chosen-columns.ts';
import { connect, defineConnection, emptyList, type List, pageArgs } from './core/connections.ts';
import { type Context, viewerOf } from './core/context.ts';
import { defineMutation } from './core/errors.ts';
import { byId, defineLoader } from './core/loaders.ts';
import { Node, readNodes } from './core/node.ts';
import { Experiment, Fragment, Job, Project } from './core/nouns.ts';
import { fragmentById } from './files/fragments.ts';
import { shownJob } from './jobs/jobs.ts';
import { JobConnection, jobsLike, newestFirst } from './jobs/lists.ts';
import { projectOf } from './projects.ts';

/** The experiment of an object that the caller may see: it may see the experiment too. */
const experimentOf = defineLoader<string, ExperimentRow | null>(async ({ read }, ids) => byId(ids, await experimentsByIds(read, ids)));

/** Null when there is none or the caller may not see it. */
const experimentById = defineLoader<string, ExperimentRow | null>(async (context, ids) => {
  const principal = viewerOf(context);
  const rows = may(principal, rightToRead.Experiment) ? await experimentsByIds(context.read, ids) : [];
  return byId(
    ids,
    rows.filter((row) => sees(principal, { projectId: row.projectId })),
  );
});
readNodes('Experiment', experimentById);

const newestResultOf = defineLoader<string, string | null>(async ({ read }, ids) => {
  const newest = await newestResults(read, ids);
  return ids.map((id) => newest.get(id) ?? null);
});

const currentJobOf = defineLoader<string, string | null>(async ({ read }, ids) => {
  const rows = await currentJobsOfExperiments(read, ids);
  const current = new Map(rows.map(({ experimentId, jobId }) => [experimentId, jobId]));
  return ids.map((id) => current.get(id) ?? null);
});

const fileNamed = (context: Context, id: string | null) => (id === null ? null : fragmentById.load(context, id));

Experiment.implement({
  description:
    'An ordered queue of jobs. Each job starts from the model that the job before it produced. One job runs at a time, and the ' +
    'others are BLOCKED. A job that fails, is cancelled or is deleted is skipped: the next job starts from the model that the ' +
    'skipped job started from.',
  interfaces: [Node],
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name. Not unique.' }),
    project: t.field({
      type: Project,
      description: 'The project that owns it.',
      resolve: ({ projectId }, _, context, info) => projectOf(context, projectId, info),
    }),
    hyperparameters: t.expose('hyperparameters', {
      type: 'JSONObject',
      description: 'The hyperparameters that its jobs share, as they were given; `{}` for a key of kind WATCH.',
    }),
    startModel: t.field({
      type: Fragment,
      nullable: true,
      description: 'The model that its first job starts from. Null: there is none, or this key may not see it.',
      resolve: ({ startModelId }, _, context) => fileNamed(context, startModelId),
    }),
    currentModel: t.field({
      type: Fragment,
      nullable: true,
      description:
        'The model that the next job starts from: the newest model produced by a successful job of the experiment (for a federated ' +
        'job, its aggregate), otherwise startModel. Null: there is neither, or this key may not see it.',
      resolve: async ({ id, startModelId }, _, context) => fileNamed(context, (await newestResultOf.load(context, id)) ?? startModelId),
    }),
    currentJob: t.field({
      type: Job,
      nullable: true,
      description: 'Its first job that has not ended. Null: all have ended, or this key may not see it.',
      resolve: async ({ id }, _, context, info) => shownJob(context, await currentJobOf.load(context, id), info),
    }),
    jobs: t.field({
      type: JobConnection,
      description: 'Its jobs, newest first. Use `last` to read from the head of the queue.',
      args: pageArgs,
      resolve: ({ id }, args, context, info) => connect(args, jobsLike(context, { experimentId: id }, newestFirst, chosenColumns(info))),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When its own fields last changed.' }),
  }),
});

const ExperimentConnection = defineConnection('Experiment', Experiment, 'experiments');

function experimentsOf(context: Context, projectId: string | null): List<ExperimentRow> {
  requireRight(viewerOf(context), 'readExperiments');
  const { read } = context;
  return {
    positionOf: ({ id }) => [id],
    read: (slice) => listExperiments(read, { projectId }, slice),
    count: () => countExperiments(read, { projectId }),
  };
}

builder.queryField('experiments', (t) =>
  t.field({
    type: ExperimentConnection,
    description: 'The experiments that this key may see, newest first.',
    args: { projectId: t.arg.id({ description: 'Only those in this project.' }), ...pageArgs },
    resolve: (_, { projectId, ...args }, context) => {
      const { projectId: ownId } = scopeOf(viewerOf(context));
      if (projectId != null && ownId !== null && projectId !== ownId) return connect(args, emptyList);
      return connect(args, experimentsOf(context, projectId ?? ownId));
    },
  }),
);

builder.objectField(Project, 'experiments', (t) =>
  t.field({
    type: ExperimentConnection,
    description: 'Its experiments, newest first.',
    args: pageArgs,
    extensions: reads<ProjectRow>('id'),
    resolve: ({ id }, args, context) => connect(args, experimentsOf(context, id)),
  }),
);

builder.objectField(Job, 'experiment', (t) =>
  t.field({
    type: Experiment,
    nullable: true,
    description: 'Its experiment. Null: it has none.',
    extensions: reads<ShownJob>('experimentId'),
    resolve: ({ experimentId }, _, context) => (experimentId === null ? null : experimentOf.load(context, experimentId)),
  }),
);

builder.queryField('experiment', (t) =>
  t.field({
    type: Experiment,
    nullable: true,
    description: 'The experiment with this id. Null when there is none or this key may not see it.',
    args: { id: t.arg.id({ required: true, description: 'Its id: `exp_…`.' }) },
    resolve: (_, { id }, context) => experimentById.load(context, id),
  }),
);

defineMutation('createExperiment', {
  description: 'Creates an experiment. Use createJob to add jobs to its queue.',
  input: builder.inputType('CreateExperimentInput', {
    description: 'The experiment to create.',
    fields: (t) => ({
      projectId: t.id({ required: true, description: 'The project that owns it.' }),
      name: t.string({ required: true, description: 'Its name: at most 200 characters.' }),
      hyperparameters: t.field({
        type: 'JSONObject',
        description: 'The hyperparameters that its jobs share: at most 256 KB as JSON. Default: empty.',
      }),
      startModelFragmentId: t.id({
        description: 'The model that its first job starts from: a READY fragment of type MODEL in the project. Default: none.',
      }),
    }),
  }),
  payload: builder.objectRef<{ experiment: ExperimentRow }>('CreateExperimentPayload').implement({
    description: 'The experiment was created.',
    fields: (t) => ({ experiment: t.expose('experiment', { type: Experiment, description: 'The new experiment.' }) }),
  }),
  refusals: [NotFound, InvalidInput],
  decide: createExperiment,
});
