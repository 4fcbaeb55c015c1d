import { may, sees, seesFile } from '../../domain/access/rights.ts';
import {
  AlreadyExists,
  badRequest,
  IdempotencyConflict,
  InvalidInput,
  InvalidState,
  NotFound,
  StaleLease,
} from '../../domain/core/refusals.ts';
import { filenameKeyOf } from '../../domain/files/filenames.ts';
import { createFragment, deleteFragment, downloadUrlOf, readText } from '../../domain/files/fragments.ts';
import {
  countFragments,
  type FragmentsOf,
  fragmentsByIds,
  latestFragmentOfJob,
  latestFragmentOfProject,
  listFragments,
} from '../../store/queries/fragments.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import type { FragmentRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import { connect, defineConnection, type List, pageArgs } from '../core/connections.ts';
import { type Context, viewerOf } from '../core/context.ts';
import { FragmentStatus, FragmentType, IfExists } from '../core/enums.ts';
import { defineMutation } from '../core/errors.ts';
import { byId, defineLoader } from '../core/loaders.ts';
import { Node, readNodes } from '../core/node.ts';
import { Device, Fragment, Job, Project, Step } from '../core/nouns.ts';
import type { Size } from '../core/sizes.ts';
import { deviceById } from '../devices.ts';
import { jobById } from '../jobs/jobs.ts';
import { projectOf } from '../projects.ts';
import { stepById } from '../steps/steps.ts';

/** Of `text`: what a page can show. Larger files are downloaded. */
const MOST_TEXT_BYTES = 1_048_576;
const USUAL_TEXT_BYTES = 65_536;
/** All of it is read, and in memory at once: 8 KB, more than most objects have, count as one node. */
const TEXT: Size = { by: ['maxBytes'], usually: USUAL_TEXT_BYTES, perNode: 8_192, isPage: false };

/** Null: there is none, or it may not be seen. */
export const fragmentById = defineLoader<string, FragmentRow | null>(async (context, ids) => {
  const principal = viewerOf(context);
  const rows = await fragmentsByIds(context.domain.store.read, ids);
  return byId(
    ids,
    rows.filter((row) => seesFile(principal, row)),
  );
});
readNodes('Fragment', fragmentById);

/** The file of something that may be seen, which the file then may too: the model that a job starts from is another job's. Null: it is gone. */
export const fragmentOf = defineLoader<string, FragmentRow | null>(async ({ domain }, ids) =>
  byId(ids, await fragmentsByIds(domain.store.read, ids)),
);

/**
 * What a job or one of its rounds starts from: a file of the job itself, or another's, which the job's own key and the leases of its steps may read all the
 * same. Who only watches the job may not. Null: there is none, or it may not be seen.
 */
export async function startModelOf(
  context: Context,
  { jobId, startModelId }: { readonly jobId: string; readonly startModelId: string | null },
): Promise<FragmentRow | null> {
  const fragment = startModelId === null ? null : await fragmentOf.load(context, startModelId);
  return fragment?.jobId === jobId || may(viewerOf(context), 'readStartModels') ? fragment : null;
}

Fragment.implement({
  description:
    'A file of a job, or of a project. Its bytes go up by PUT to the uploadUrl that createFragment answers, and down by GET (with Range and ETag) ' +
    'from downloadUrl.',
  interfaces: [Node],
  fields: (t) => ({
    project: t.field({
      type: Project,
      description: 'The project that owns it.',
      resolve: ({ projectId }, _, context) => projectOf(context, projectId),
    }),
    job: t.field({
      type: Job,
      nullable: true,
      description: 'The job that it is of. Null for a file of the project itself: a start model, say.',
      resolve: ({ jobId }, _, context) => (jobId === null ? null : jobById.load(context, jobId)),
    }),
    step: t.field({
      type: Step,
      nullable: true,
      description: 'The step that made it. Null where it was not made by a step.',
      resolve: ({ stepId }, _, context) => (stepId === null ? null : stepById.load(context, stepId)),
    }),
    attempt: t.exposeInt('attempt', { nullable: true, description: 'The number of the attempt that made it; null where `step` is.' }),
    device: t.field({
      type: Device,
      nullable: true,
      description: 'The device that handed it in. Null: no device did, it is gone, or this key may not see it.',
      resolve: ({ deviceId }, _, context) => (deviceId === null ? null : deviceById.load(context, deviceId)),
    }),
    filename: t.exposeString('filename', {
      description: 'A name, or a relative path of names: `plots/loss.png`. Once in a job, upper and lower case being the same.',
    }),
    name: t.exposeString('name', { description: 'What people call it. Default: its filename.' }),
    type: t.expose('type', { type: FragmentType, description: 'What it is.' }),
    status: t.expose('status', { type: FragmentStatus, description: 'Whether its bytes are here.' }),
    contentType: t.exposeString('contentType', { description: 'Its media type, as it was announced: `text/csv`.' }),
    sizeBytes: t.expose('sizeBytes', {
      type: 'ByteCount',
      nullable: true,
      description: 'Its size. While it is PENDING: as it was announced, or null.',
    }),
    sha256: t.exposeString('sha256', {
      nullable: true,
      description: 'The SHA-256 of its bytes, in lower-case hex. While it is PENDING: as it was announced, or null.',
    }),
    downloadUrl: t.string({
      nullable: true,
      description:
        "Where to GET its bytes: relative to the gateway's address, signed, and good for an hour without a key. Null while it is PENDING.",
      resolve: (fragment, _, { domain }) => downloadUrlOf(domain, fragment),
    }),
    text: t.string({
      nullable: true,
      size: TEXT,
      budget: true,
      description: 'Its content, of a text file. Null: it is PENDING, larger than maxBytes, or not UTF-8.',
      args: {
        maxBytes: t.arg.int({
          required: true,
          defaultValue: USUAL_TEXT_BYTES,
          description: `The most to read: up to ${MOST_TEXT_BYTES} bytes.`,
        }),
      },
      resolve: (fragment, { maxBytes }, { domain }) => {
        if (maxBytes < 0 || maxBytes > MOST_TEXT_BYTES) {
          throw badRequest.outOfRange('maxBytes', 0, MOST_TEXT_BYTES, maxBytes);
        }
        return readText(domain, fragment, maxBytes);
      },
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was announced.' }),
    readyAt: t.expose('readyAt', { type: 'DateTime', nullable: true, description: 'When its bytes were whole. Null while it is PENDING.' }),
  }),
});

const FragmentFilter = builder.inputType('FragmentFilter', {
  description: 'Which files. What is left out or null does not matter; what is given must hold, all of it.',
  fields: (t) => ({
    types: t.field({ type: [FragmentType], description: 'Only those of one of these types.' }),
    filename: t.string({ description: 'Only the one of this filename, upper and lower case being the same.' }),
    stepNumber: t.int({ description: 'Only those that the step of this number made.' }),
    statuses: t.field({ type: [FragmentStatus], description: 'Only those in one of these statuses.' }),
  }),
});

const FragmentConnection = defineConnection('Fragment', Fragment, 'files');

interface Of {
  readonly jobId: string;
  /** Of a step: its number. */
  readonly stepNumber: number | null;
}

function fragmentsOf(context: Context, { jobId, stepNumber }: Of, filter: typeof FragmentFilter.$inferInput | null | undefined) {
  const { read } = context.domain.store;
  const asked = filter?.stepNumber ?? stepNumber;
  // Another step's, asked of this step: none.
  if ((stepNumber !== null && asked !== stepNumber) || isNoFilename(filter?.filename)) return nothing;
  const of: FragmentsOf = {
    jobId,
    stepNumber: asked,
    types: filter?.types ?? null,
    statuses: filter?.statuses ?? null,
    filenameKey: filter?.filename == null ? null : filenameKeyOf(filter.filename),
  };
  const list: List<FragmentRow> = {
    positionOf: ({ id }) => [id],
    read: (slice) => listFragments(read, of, slice),
    count: () => countFragments(read, of),
  };
  return list;
}
/** PostgreSQL's text has no NUL, and so no filename does. */
const isNoFilename = (filename: string | null | undefined): boolean => filename?.includes('\0') ?? false;
const nothing: List<FragmentRow> = { positionOf: ({ id }) => [id], read: async () => [], count: async () => 0 };

const filterArg = builder.args((t) => ({ filter: t.field({ type: FragmentFilter, description: 'Which of them. Default: all.' }) }));

builder.objectFields(Job, (t) => ({
  fragments: t.field({
    type: FragmentConnection,
    description: 'Its files, newest first.',
    args: { ...filterArg, ...pageArgs },
    extensions: reads<ShownJob>('id'),
    resolve: ({ id }, { filter, ...args }, context) => connect(args, fragmentsOf(context, { jobId: id, stepNumber: null }, filter)),
  }),
  latestFragment: t.field({
    type: Fragment,
    nullable: true,
    description: 'Its newest READY file of this name; null when there is none.',
    args: { filename: t.arg.string({ required: true, description: 'The filename, upper and lower case being the same.' }) },
    resolve: async ({ id }, { filename }, { domain }) => {
      if (isNoFilename(filename)) return null;
      const [fragment] = await domain.store.read.run(latestFragmentOfJob, { id, filenameKey: filenameKeyOf(filename) });
      return fragment ?? null;
    },
  }),
}));

builder.objectField(Step, 'fragments', (t) =>
  t.field({
    type: FragmentConnection,
    description: 'The files that it made, newest first.',
    args: { ...filterArg, ...pageArgs },
    resolve: ({ jobId, number }, { filter, ...args }, context) =>
      connect(args, fragmentsOf(context, { jobId, stepNumber: number }, filter)),
  }),
);

builder.objectField(Project, 'latestFragment', (t) =>
  t.field({
    type: Fragment,
    nullable: true,
    description: 'The newest READY file of this name among those of its succeeded jobs; null when there is none.',
    args: { filename: t.arg.string({ required: true, description: 'The filename, upper and lower case being the same.' }) },
    resolve: async ({ id }, { filename }, context) => {
      if (isNoFilename(filename)) return null;
      const [row] = await context.domain.store.read.run(latestFragmentOfProject, { id, filenameKey: filenameKeyOf(filename) });
      return row && sees(viewerOf(context), row.fragment) ? row.fragment : null;
    },
  }),
);

builder.queryField('fragment', (t) =>
  t.field({
    type: Fragment,
    nullable: true,
    description: 'The file with this id. Null: there is none, or this key may not see it.',
    args: { id: t.arg.id({ required: true, description: 'Its id: `frag_…`.' }) },
    resolve: (_, { id }, context) => fragmentById.load(context, id),
  }),
);

defineMutation('createFragment', {
  description: 'Announces a file, and answers where to PUT its bytes; with `text`, stores that and is done.',
  input: builder.inputType('CreateFragmentInput', {
    description: 'The file to announce: of a job or of a project, exactly one of jobId and projectId.',
    fields: (t) => ({
      jobId: t.id({ description: 'The job that it is of.' }),
      projectId: t.id({ description: "The project that it is of, where it is no job's." }),
      stepNumber: t.int({ description: 'The step that made it. Follows from leaseToken, where that is given.' }),
      leaseToken: t.string({
        description: 'The lease under which a step makes it: names its step, attempt and device, and refuses it once the lease has ended.',
      }),
      filename: t.string({
        required: true,
        description: 'A name, or a relative path of names: `plots/loss.png`. At most 200 characters, once in a job.',
      }),
      ifExists: t.field({
        type: IfExists,
        required: true,
        defaultValue: 'REFUSE',
        description:
          'What becomes of it where there is a file of this name. A step replaces what steps of its job made; anything else takes the right to delete files.',
      }),
      name: t.string({ description: 'What people will call it. Default: the filename.' }),
      type: t.field({ type: FragmentType, required: true, description: 'What it is.' }),
      contentType: t.string({ description: 'Its media type. Default: by the ending of the filename.' }),
      sizeBytes: t.field({ type: 'ByteCount', description: 'Its size, if it is known: the upload is refused unless it has just that.' }),
      sha256: t.string({
        description: 'The SHA-256 of its bytes in lower-case hex, if it is known: the upload is refused unless it has just that.',
      }),
      text: t.string({
        description: 'The whole content of a small text file, stored at once in place of an upload. Not beside sizeBytes or sha256.',
      }),
      idempotencyKey: t.string({
        description: 'Any text of your own: the same key with the same input makes nothing new, and answers the first result.',
      }),
    }),
  }),
  payload: builder
    .objectRef<{ fragment: FragmentRow; uploadUrl: string | null; uploadExpiresAt: Date | null }>('CreateFragmentPayload')
    .implement({
      description: 'The file is announced.',
      fields: (t) => ({
        fragment: t.expose('fragment', { type: Fragment, description: 'The file: PENDING until its bytes are here.' }),
        uploadUrl: t.exposeString('uploadUrl', {
          nullable: true,
          description: "Where to PUT its bytes: relative to the gateway's address, signed, needs no key. Null once its bytes are stored.",
        }),
        uploadExpiresAt: t.expose('uploadExpiresAt', {
          type: 'DateTime',
          nullable: true,
          description: 'Until when the upload may begin. Null where uploadUrl is.',
        }),
      }),
    }),
  refusals: [NotFound, InvalidInput, InvalidState, StaleLease, AlreadyExists, IdempotencyConflict],
  decide: createFragment,
});

defineMutation('deleteFragment', {
  description: 'Deletes a file, bytes included.',
  input: builder.inputType('DeleteFragmentInput', {
    description: 'The file to delete.',
    fields: (t) => ({ fragmentId: t.id({ required: true, description: 'Its id. There is no way back.' }) }),
  }),
  payload: builder.objectRef<{ deletedFragmentId: string }>('DeleteFragmentPayload').implement({
    description: 'The file is gone.',
    fields: (t) => ({ deletedFragmentId: t.exposeID('deletedFragmentId', { description: 'The id that it had.' }) }),
  }),
  refusals: [NotFound, InvalidState],
  decide: deleteFragment,
});
