import { may, sees, seesFile } from '../../domain/access/rights.ts';
import { AlreadyExists, IdempotencyConflict, InvalidInput, InvalidState, NotFound, StaleLease } from '../../domain/core/refusals.ts';
import { badRequest } from '../../domain/core/request-refusals.ts';
import { filenameKeyOf } from '../../domain/files/filenames.ts';
import { createFragment, deleteFragment, downloadUrlOf, readText } from '../../domain/files/fragments.ts';
import {
  countFragments,
  type FragmentsOf,
  fragmentsByIds,
  latestFragmentOfProject,
  listFragments,
  readyFragments,
} from '../../store/queries/fragments.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import type { ShownStep } from '../../store/queries/steps.ts';
import type { FragmentRow, ProjectRow } from '../../store/schema/tables.ts';
import type { Pair } from '../../store/statements/batch.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import { connect, defineConnection, type List, pageArgs } from '../core/connections.ts';
import { type Context, viewerOf } from '../core/context.ts';
import { FragmentStatus, FragmentType, IfExists } from '../core/enums.ts';
import { defineMutation } from '../core/errors.ts';
import { byId, defineLoader, grouped } from '../core/loaders.ts';
import { Node, readNodes } from '../core/node.ts';
import { Device, Fragment, Job, Project, Step } from '../core/nouns.ts';
import type { Size } from '../core/sizes.ts';
import { deviceById } from '../devices.ts';
import { shownJob } from '../jobs/jobs.ts';
import { projectOf } from '../projects.ts';
import { stepById } from '../steps/steps.ts';

/** The most that `text` returns: what a page can show. Larger files are downloaded. */
const MOST_TEXT_BYTES = 1_048_576;
const USUAL_TEXT_BYTES = 65_536;
/** The whole text is read into memory. 8 KB, more than most objects have, count as one node. */
const TEXT: Size = { by: ['maxBytes'], usually: USUAL_TEXT_BYTES, perNode: 8_192, isPage: false };

/** Null when there is none or the caller may not see it. */
export const fragmentById = defineLoader<string, FragmentRow | null>(async (context, ids) => {
  const principal = viewerOf(context);
  const rows = await fragmentsByIds(context.read, ids);
  return byId(
    ids,
    rows.filter((row) => seesFile(principal, row)),
  );
});
readNodes('Fragment', fragmentById);

/**
 * The file of an object that the caller may see: it may see the file too. The model that a job
 * starts from, for instance, belongs to another job. Null: the file was deleted.
 */
export const fragmentOf = defineLoader<string, FragmentRow | null>(async ({ read }, ids) => byId(ids, await fragmentsByIds(read, ids)));

/**
 * The model that a job or one of its rounds starts from. It can be a file of another job: the job's
 * own key and the leases of its steps may read it, a WATCH key may not. Null when there is none or
 * the caller may not see it.
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
    'A file of a job or of a project. Upload its bytes with PUT to the uploadUrl that createFragment returns. Download them with ' +
    'GET (Range and ETag are supported) from downloadUrl.',
  interfaces: [Node],
  fields: (t) => ({
    project: t.field({
      type: Project,
      description: 'The project that owns it.',
      resolve: ({ projectId }, _, context, info) => projectOf(context, projectId, info),
    }),
    job: t.field({
      type: Job,
      nullable: true,
      description: 'The job that it belongs to. Null for a file of the project itself, such as a start model.',
      resolve: ({ jobId }, _, context, info) => shownJob(context, jobId, info),
    }),
    step: t.field({
      type: Step,
      nullable: true,
      description: 'The step that produced it. Null: no step did.',
      resolve: ({ stepId }, _, context) => (stepId === null ? null : stepById.load(context, stepId)),
    }),
    attempt: t.exposeInt('attempt', {
      nullable: true,
      description: 'The number of the attempt that produced it. Null when `step` is null.',
    }),
    device: t.field({
      type: Device,
      nullable: true,
      description: 'The device that uploaded it. Null: no device did, the device was deleted, or this key may not see it.',
      resolve: ({ deviceId }, _, context) => (deviceId === null ? null : deviceById.load(context, deviceId)),
    }),
    filename: t.exposeString('filename', {
      description: 'A file name or relative path: `plots/loss.png`. Unique within the job, ignoring case.',
    }),
    name: t.exposeString('name', { description: 'Its display name. Default: its filename.' }),
    type: t.expose('type', { type: FragmentType, description: 'What it is.' }),
    status: t.expose('status', { type: FragmentStatus, description: 'Whether its bytes have been uploaded.' }),
    contentType: t.exposeString('contentType', { description: 'Its media type as announced: `text/csv`.' }),
    sizeBytes: t.expose('sizeBytes', {
      type: 'ByteCount',
      nullable: true,
      description: 'Its size. While it is PENDING, the announced size or null.',
    }),
    sha256: t.exposeString('sha256', {
      nullable: true,
      description: 'The SHA-256 of its bytes in lowercase hex. While it is PENDING, the announced hash or null.',
    }),
    downloadUrl: t.string({
      nullable: true,
      description:
        "The URL to GET its bytes from, relative to the gateway's address. It is signed, works without a key, and is valid for an " +
        'hour. Null while it is PENDING.',
      resolve: (fragment, _, { domain }) => downloadUrlOf(domain, fragment),
    }),
    text: t.string({
      nullable: true,
      size: TEXT,
      budget: true,
      description: 'The content of a text file. Null: it is PENDING, larger than maxBytes, or not UTF-8.',
      args: {
        maxBytes: t.arg.int({
          required: true,
          defaultValue: USUAL_TEXT_BYTES,
          description: `The largest file to read: up to ${MOST_TEXT_BYTES} bytes.`,
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
    readyAt: t.expose('readyAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When its last byte was stored. Null while it is PENDING.',
    }),
  }),
});

const FragmentFilter = builder.inputType('FragmentFilter', {
  description: 'Selects files that meet every given condition. A field that is left out or null is no condition.',
  fields: (t) => ({
    types: t.field({ type: [FragmentType], description: 'Only those with one of these types.' }),
    filename: t.string({ description: 'Only the file with this filename, ignoring case.' }),
    stepNumber: t.int({ description: 'Only those produced by the step with this number.' }),
    statuses: t.field({ type: [FragmentStatus], description: 'Only those in one of these statuses.' }),
  }),
});

const FragmentConnection = defineConnection('Fragment', Fragment, 'files');

interface Of {
  readonly jobId: string;
  /** The number of a step, to restrict files to it. */
  readonly stepNumber: number | null;
}

function fragmentsOf(context: Context, { jobId, stepNumber }: Of, filter: typeof FragmentFilter.$inferInput | null | undefined) {
  const { read } = context;
  const asked = filter?.stepNumber ?? stepNumber;
  // A step has no files of another step.
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
/** PostgreSQL's text cannot hold NUL, so no filename has one. */
const isNoFilename = (filename: string | null | undefined): boolean => filename?.includes('\0') ?? false;
const nothing: List<FragmentRow> = { positionOf: ({ id }) => [id], read: async () => [], count: async () => 0 };

const filterArg = builder.args((t) => ({ filter: t.field({ type: FragmentFilter, description: 'Selects entries. Default: all.' }) }));

/** By `job filename`. */
const fileOfName = defineLoader<string, FragmentRow | null>(async ({ read }, keys) => {
  const files = keys.map((key): Pair => [key.slice(0, key.indexOf(' ')), key.slice(key.indexOf(' ') + 1)]);
  const found = await readyFragments(read, files);
  return grouped(keys, found, ({ scopeId, filenameKey }) => `${scopeId} ${filenameKey}`).map(([file]) => file ?? null);
});

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
    description: 'Its newest READY file with this name. Null when there is none.',
    args: { filename: t.arg.string({ required: true, description: 'The filename, ignoring case.' }) },
    extensions: reads<ShownJob>('id'),
    resolve: ({ id }, { filename }, context) =>
      isNoFilename(filename) ? null : fileOfName.load(context, `${id} ${filenameKeyOf(filename)}`),
  }),
}));

builder.objectField(Step, 'fragments', (t) =>
  t.field({
    type: FragmentConnection,
    description: 'The files that it produced, newest first.',
    args: { ...filterArg, ...pageArgs },
    extensions: reads<ShownStep>('jobId', 'number'),
    resolve: ({ jobId, number }, { filter, ...args }, context) =>
      connect(args, fragmentsOf(context, { jobId, stepNumber: number }, filter)),
  }),
);

builder.objectField(Project, 'latestFragment', (t) =>
  t.field({
    type: Fragment,
    nullable: true,
    description: 'The newest READY file with this name in its successful jobs. Null when there is none.',
    args: { filename: t.arg.string({ required: true, description: 'The filename, ignoring case.' }) },
    extensions: reads<ProjectRow>('id'),
    resolve: async ({ id }, { filename }, context) => {
      if (isNoFilename(filename)) return null;
      const [row] = await context.read.run(latestFragmentOfProject, { id, filenameKey: filenameKeyOf(filename) });
      return row && sees(viewerOf(context), row.fragment) ? row.fragment : null;
    },
  }),
);

builder.queryField('fragment', (t) =>
  t.field({
    type: Fragment,
    nullable: true,
    description: 'The file with this id. Null when there is none or this key may not see it.',
    args: { id: t.arg.id({ required: true, description: 'Its id: `frag_…`.' }) },
    resolve: (_, { id }, context) => fragmentById.load(context, id),
  }),
);

defineMutation('createFragment', {
  description: 'Announces a file and returns the URL to PUT its bytes to. With `text`, stores that text at once and needs no upload.',
  input: builder.inputType('CreateFragmentInput', {
    description: 'The file to announce. Give exactly one of jobId and projectId.',
    fields: (t) => ({
      jobId: t.id({ description: 'The job that it belongs to.' }),
      projectId: t.id({ description: 'The project that it belongs to, if it belongs to no job.' }),
      stepNumber: t.int({ description: 'The number of the step that produced it. Not needed with leaseToken.' }),
      leaseToken: t.string({
        description:
          'The lease of the step that produces it. It sets step, attempt and device. The upload is refused after the lease has ended.',
      }),
      filename: t.string({
        required: true,
        description: 'A file name or relative path: `plots/loss.png`. At most 200 characters, unique within the job.',
      }),
      ifExists: t.field({
        type: IfExists,
        required: true,
        defaultValue: 'REFUSE',
        description:
          'What to do if a file of this name exists. A step may replace files that steps of its job produced. Anything else needs the ' +
          'right to delete files.',
      }),
      name: t.string({ description: 'Its display name. Default: the filename.' }),
      type: t.field({ type: FragmentType, required: true, description: 'What it is.' }),
      contentType: t.string({ description: 'Its media type. Default: derived from the file extension.' }),
      sizeBytes: t.field({ type: 'ByteCount', description: 'Its size, if known. An upload of any other size is refused.' }),
      sha256: t.string({
        description: 'The SHA-256 of its bytes in lowercase hex, if known. An upload with any other hash is refused.',
      }),
      text: t.string({
        description:
          'The whole content of a small text file, stored at once instead of an upload. Cannot be combined with sizeBytes or sha256.',
      }),
      idempotencyKey: t.string({
        description: 'Any text you choose. A repeated request with the same key and input creates nothing and returns the first result.',
      }),
    }),
  }),
  payload: builder
    .objectRef<{ fragment: FragmentRow; uploadUrl: string | null; uploadExpiresAt: Date | null }>('CreateFragmentPayload')
    .implement({
      description: 'The file was announced.',
      fields: (t) => ({
        fragment: t.expose('fragment', { type: Fragment, description: 'The file. It is PENDING until its bytes are uploaded.' }),
        uploadUrl: t.exposeString('uploadUrl', {
          nullable: true,
          description:
            "The URL to PUT its bytes to, relative to the gateway's address. It is signed and works without a key. Null once its bytes " +
            'are stored.',
        }),
        uploadExpiresAt: t.expose('uploadExpiresAt', {
          type: 'DateTime',
          nullable: true,
          description: 'The upload must start before this time. Null when uploadUrl is null.',
        }),
      }),
    }),
  refusals: [NotFound, InvalidInput, InvalidState, StaleLease, AlreadyExists, IdempotencyConflict],
  decide: createFragment,
});

defineMutation('deleteFragment', {
  description: 'Deletes a file and its bytes.',
  input: builder.inputType('DeleteFragmentInput', {
    description: 'The file to delete.',
    fields: (t) => ({ fragmentId: t.id({ required: true, description: 'Its id. Deleting cannot be undone.' }) }),
  }),
  payload: builder.objectRef<{ deletedFragmentId: string }>('DeleteFragmentPayload').implement({
    description: 'The file was deleted.',
    fields: (t) => ({ deletedFragmentId: t.exposeID('deletedFragmentId', { description: 'Its former id.' }) }),
  }),
  refusals: [NotFound, InvalidState],
  decide: deleteFragment,
});
