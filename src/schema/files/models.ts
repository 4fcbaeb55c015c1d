import { rightToRead } from '../../domain/access/operations.ts';
import { may, requireRight, scopeOf, sees } from '../../domain/access/rights.ts';
import { IdempotencyConflict, InvalidInput, NotFound } from '../../domain/core/refusals.ts';
import { gone } from '../../domain/core/request-refusals.ts';
import { createModel, createModelVersion } from '../../domain/jobs/models.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import {
  countModels,
  countVersions,
  listModels,
  listVersions,
  modelBytesOfJobs,
  modelsByIds,
  modelVersionsByIds,
  type ShownModelVersion,
} from '../../store/queries/models.ts';
import type { FragmentRow, ModelRow, ProjectRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import { connect, defineConnection, emptyList, type List, pageArgs } from '../core/connections.ts';
import { type Context, viewerOf } from '../core/context.ts';
import { defineMutation } from '../core/errors.ts';
import { byId, defineLoader } from '../core/loaders.ts';
import { Node, readNodes } from '../core/node.ts';
import { Fragment, Job, Model, ModelVersion, Project } from '../core/nouns.ts';
import { SOME } from '../core/sizes.ts';
import { jobWith, shownJob } from '../jobs/jobs.ts';
import { projectOf } from '../projects.ts';
import { Metric, newestMetrics } from '../streams/metrics.ts';
import { fragmentOf } from './fragments.ts';

// The models and versions of an object that the caller may see: it may see them too.
const modelOf = defineLoader<string, ModelRow | null>(async ({ read }, ids) => byId(ids, await modelsByIds(read, ids)));
const versionOf = defineLoader<string, ShownModelVersion | null>(async ({ read }, ids) => byId(ids, await modelVersionsByIds(read, ids)));

/** Null when there is none or the caller may not see it. */
const modelById = defineLoader<string, ModelRow | null>(async (context, ids) => {
  const principal = viewerOf(context);
  const rows = may(principal, rightToRead.Model) ? await modelsByIds(context.read, ids) : [];
  return byId(
    ids,
    rows.filter((row) => sees(principal, { projectId: row.projectId })),
  );
});
readNodes('Model', modelById);

/** Null when there is none or the caller may not see it. */
const versionById = defineLoader<string, ShownModelVersion | null>(async (context, ids) => {
  const principal = viewerOf(context);
  const rows = may(principal, rightToRead.ModelVersion) ? await modelVersionsByIds(context.read, ids) : [];
  return byId(
    ids,
    rows.filter((row) => sees(principal, { projectId: row.projectId })),
  );
});
readNodes('ModelVersion', versionById);

const VersionConnection = defineConnection('ModelVersion', ModelVersion, 'versions of a model');

Model.implement({
  description:
    'A model with numbered versions. When a TRAINING job succeeds with a model, it adds a version to the model that it names, or ' +
    'creates a new model. Models that were made elsewhere are added by createModel and createModelVersion.',
  interfaces: [Node],
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name: that of the job that created it, or as given to createModel. Not unique.' }),
    project: t.field({
      type: Project,
      description: 'The project that owns it.',
      resolve: ({ projectId }, _, context, info) => projectOf(context, projectId, info),
    }),
    versions: t.field({
      type: VersionConnection,
      description: 'Its versions, newest first. A key of one job sees only the version that the job created.',
      args: pageArgs,
      resolve: ({ id }, args, context) => connect(args, versionsOf(context, id)),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created: by a job, with its first version.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When its newest version was created.' }),
  }),
});

function versionsOf(context: Context, modelId: string): List<ShownModelVersion> {
  const { read } = context;
  const of = { modelId, jobId: scopeOf(viewerOf(context)).jobId };
  return {
    positionOf: ({ number, id }) => [number, id],
    read: (slice) => listVersions(read, of, slice),
    count: () => countVersions(read, of),
  };
}

ModelVersion.implement({
  description: 'One version of a model: a file and the job that trained it, if one did. It outlives that job.',
  interfaces: [Node],
  fields: (t) => ({
    number: t.exposeInt('number', { description: 'Its number within its model: 1, 2, 3 …' }),
    model: t.field({
      type: Model,
      description: 'The model that it is a version of.',
      extensions: reads<ShownJob>('modelId'),
      resolve: async ({ modelId }, _, context) => thing(await modelOf.load(context, modelId), modelId),
    }),
    job: t.field({
      type: Job,
      nullable: true,
      description: 'The job that its file is of. Null: there is none, the job was deleted, or this key may not see it.',
      resolve: ({ jobId }, _, context, info) => shownJob(context, jobId, info),
    }),
    fragment: t.field({
      type: Fragment,
      description: 'The file that contains it.',
      resolve: async ({ fragmentId }, _, context) => thing(await fragmentOf.load(context, fragmentId), fragmentId),
    }),
    metrics: t.field({
      type: [Metric],
      size: SOME,
      description: 'The newest value of each metric of its job, ordered by name. Empty when `job` is null.',
      resolve: async ({ jobId }, _, context) => {
        const job = jobId === null ? null : await jobWith(context, jobId, 'id');
        return job ? newestMetrics(context, job.id) : [];
      },
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was added: for that of a job, when the job succeeded.' }),
  }),
});

/**
 * An object that exists as long as the version that refers to it. Throws NOT_FOUND when both were
 * deleted meanwhile.
 */
function thing<T>(row: T | null, id: string): T {
  if (row === null) throw gone('thing', id);
  return row;
}

const ModelConnection = defineConnection('Model', Model, 'models');

function modelsOf(context: Context, projectId: string | null): List<ModelRow> {
  requireRight(viewerOf(context), 'readModels');
  const { read } = context;
  return {
    positionOf: ({ id }) => [id],
    read: (slice) => listModels(read, { projectId }, slice),
    count: () => countModels(read, { projectId }),
  };
}

builder.queryField('models', (t) =>
  t.field({
    type: ModelConnection,
    description: 'The models that this key may see, newest first.',
    args: { projectId: t.arg.id({ description: 'Only those in this project.' }), ...pageArgs },
    resolve: (_, { projectId, ...args }, context) => {
      const { projectId: ownId } = scopeOf(viewerOf(context));
      if (projectId != null && ownId !== null && projectId !== ownId) return connect(args, emptyList);
      return connect(args, modelsOf(context, projectId ?? ownId));
    },
  }),
);

builder.objectField(Project, 'models', (t) =>
  t.field({
    type: ModelConnection,
    description: 'Its models, newest first.',
    args: pageArgs,
    extensions: reads<ProjectRow>('id'),
    resolve: ({ id }, args, context) => connect(args, modelsOf(context, id)),
  }),
);

/**
 * The model that a job starts from. Another job made it, but the job's own key and the leases of
 * its steps may read it.
 */
const startModelOf = async (context: Context, { startModelId }: Pick<ShownJob, 'startModelId'>): Promise<FragmentRow | null> =>
  startModelId === null ? null : fragmentOf.load(context, startModelId);

const modelBytes = defineLoader<string, number>(async ({ read }, jobIds) => {
  const found = new Map((await modelBytesOfJobs(read, jobIds)).map(({ jobId, bytes }) => [jobId, bytes]));
  return jobIds.map((id) => found.get(id) ?? 0);
});

const versionNamed = (context: Context, id: string | null) => (id === null ? null : versionOf.load(context, id));

builder.objectFields(Job, (t) => ({
  model: t.field({
    type: Model,
    nullable: true,
    description: 'The model that it adds a version to, or has created. Null: there is none, or none yet.',
    extensions: reads<ShownJob>('modelId'),
    resolve: ({ modelId }, _, context) => (modelId === null ? null : modelOf.load(context, modelId)),
  }),
  modelVersion: t.field({
    type: ModelVersion,
    nullable: true,
    description: 'The version that it created. Null: there is none, or none yet.',
    extensions: reads<ShownJob>('modelVersionId'),
    resolve: ({ modelVersionId }, _, context) => versionNamed(context, modelVersionId),
  }),
  startModelVersion: t.field({
    type: ModelVersion,
    nullable: true,
    description: 'The version that it was created to start from. Null: none was given, or this key may not see it.',
    extensions: reads<ShownJob>('startModelVersionId'),
    resolve: ({ startModelVersionId }, _, context) => versionNamed(context, startModelVersionId),
  }),
  startModel: t.field({
    type: Fragment,
    nullable: true,
    description:
      'The model file that it starts from: that of its startModelVersion, of its federation, or the newest model of its ' +
      'experiment. Its steps can read it with their lease token and download it from downloadUrl. Null: there is none, the job ' +
      'still waits in its experiment, or this key may not see it.',
    extensions: reads<ShownJob>('startModelId'),
    resolve: (job, _, context) => startModelOf(context, job),
  }),
  billableBytes: t.field({
    type: 'ByteCount',
    description: 'The total size of the model that it starts from and the models that it has stored (its READY fragments of type MODEL).',
    extensions: reads<ShownJob>('id', 'startModelId'),
    resolve: async (job, _, context) => {
      const start = await startModelOf(context, job);
      // A start model of the job itself is already included.
      return (await modelBytes.load(context, job.id)) + (start && start.jobId !== job.id ? (start.sizeBytes ?? 0) : 0);
    },
  }),
}));

builder.queryField('model', (t) =>
  t.field({
    type: Model,
    nullable: true,
    description: 'The model with this id. Null when there is none or this key may not see it.',
    args: { id: t.arg.id({ required: true, description: 'Its id: `model_…`.' }) },
    resolve: (_, { id }, context) => modelById.load(context, id),
  }),
);

const idempotencyKey = 'Any text you choose. A repeated request with the same key and input creates nothing and returns the first result.';

defineMutation('createModel', {
  description: 'Creates a model without versions, for models that were made elsewhere. Add them with createModelVersion.',
  input: builder.inputType('CreateModelInput', {
    description: 'The model to create.',
    fields: (t) => ({
      projectId: t.id({ required: true, description: 'The project that owns it.' }),
      name: t.string({ required: true, description: 'Its name: at most 200 characters.' }),
      idempotencyKey: t.string({ description: idempotencyKey }),
    }),
  }),
  payload: builder.objectRef<{ model: ModelRow }>('CreateModelPayload').implement({
    description: 'The model was created.',
    fields: (t) => ({ model: t.expose('model', { type: Model, description: 'The new model.' }) }),
  }),
  refusals: [NotFound, InvalidInput, IdempotencyConflict],
  decide: createModel,
});

defineMutation('createModelVersion', {
  description: 'Adds a file to a model as its newest version. Jobs can then start from it.',
  input: builder.inputType('CreateModelVersionInput', {
    description: 'The file to add.',
    fields: (t) => ({
      modelId: t.id({ required: true, description: 'The model that gets a version.' }),
      fragmentId: t.id({
        required: true,
        description: 'A READY fragment of type MODEL in the project of the model. It can no longer be deleted.',
      }),
      idempotencyKey: t.string({ description: idempotencyKey }),
    }),
  }),
  payload: builder.objectRef<{ version: ShownModelVersion }>('CreateModelVersionPayload').implement({
    description: 'The version was created.',
    fields: (t) => ({ version: t.expose('version', { type: ModelVersion, description: 'The new version.' }) }),
  }),
  refusals: [NotFound, InvalidInput, IdempotencyConflict],
  decide: createModelVersion,
});
