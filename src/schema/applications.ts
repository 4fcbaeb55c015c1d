import { rightToRead } from '../domain/access/operations.ts';
import { may, requireRight } from '../domain/access/rights.ts';
import { AlreadyExists, InvalidInput, InvalidState, NotFound } from '../domain/core/refusals.ts';
import type { ItemDefinition as ItemDefinitionShape } from '../domain/core/vocabulary.ts';
import {
  type CreateApplicationInput,
  createApplication,
  deleteApplication,
  type UpdateApplicationInput,
  updateApplication,
} from '../domain/jobs/applications.ts';
import { applicationsByIds, countApplications, listApplications } from '../store/queries/applications.ts';
import type { ShownJob } from '../store/queries/jobs.ts';
import type { ApplicationRow } from '../store/schema/tables.ts';
import { builder } from './core/builder.ts';
import { reads } from './core/chosen-columns.ts';
import { connect, defineConnection, type List, pageArgs } from './core/connections.ts';
import { type Context, viewerOf } from './core/context.ts';
import { ItemValueType } from './core/enums.ts';
import { defineMutation } from './core/errors.ts';
import { byId, defineLoader } from './core/loaders.ts';
import { Node, readNodes } from './core/node.ts';
import { Application, Job } from './core/nouns.ts';
import { IN_ITS_ROW } from './core/sizes.ts';
import { Container, ContainerInput } from './jobs/containers.ts';

/** Null: there is none, or it may not be seen. */
const applicationById = defineLoader<string, ApplicationRow | null>(async (context, ids) =>
  byId(ids, may(viewerOf(context), rightToRead.Application) ? await applicationsByIds(context.domain.store.read, ids) : []),
);
readNodes('Application', applicationById);

const ItemDefinition = builder.objectRef<ItemDefinitionShape>('ItemDefinition').implement({
  description: 'An item that the jobs of an application take.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What programs know it by; once in an application.' }),
    label: t.exposeString('label', { nullable: true, description: 'What a form calls it, if someone said so.' }),
    description: t.exposeString('description', { nullable: true, description: 'What it is for, if someone said so.' }),
    valueType: t.expose('valueType', { type: ItemValueType, description: 'What the text of its value stands for.' }),
    defaultValue: t.exposeString('defaultValue', {
      nullable: true,
      description: "What it is in a job that does not say, as text in its type's one spelling. Null: there is no default.",
    }),
    options: t.exposeStringList('options', { description: 'The values that MULTI allows. Of other types: none.' }),
    isRequired: t.exposeBoolean('isRequired', {
      description: 'Whether a job is refused without it. Where there is a default, that will do.',
    }),
  }),
});

Application.implement({
  description:
    'A kind of job that can be run: the items and settings that it takes, with their defaults, and what it can do. Applications are of no ' +
    'project: every project can make jobs of them. A job keeps what its application said when the job was made.',
  interfaces: [Node],
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What people call it. No two applications have the same.' }),
    description: t.exposeString('description', { nullable: true, description: 'What it does, if someone said so.' }),
    itemDefinitions: t.expose('itemDefinitions', {
      type: [ItemDefinition],
      size: IN_ITS_ROW,
      description: 'The items that its jobs take, in their order. None: its jobs take any.',
    }),
    settingsSchema: t.expose('settingsSchema', {
      type: 'JSONObject',
      nullable: true,
      description:
        'The JSON Schema of `Job.settings`, whose defaults fill up what a job leaves out. Keys that it does not know are warned of, not refused. ' +
        'Null: its jobs take any settings.',
    }),
    container: t.expose('container', {
      type: Container,
      nullable: true,
      description: 'What its jobs run where they do not say. Null: each says so itself.',
    }),
    supportsContinualTraining: t.exposeBoolean('supportsContinualTraining', {
      description: 'Whether its jobs may start from a version of a model.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it last changed.' }),
  }),
});

builder.objectField(Job, 'application', (t) =>
  t.field({
    type: Application,
    nullable: true,
    description: 'The kind of job that it is, as the catalogue has it now. Null: of none, it is gone, or this key may not see it.',
    extensions: reads<ShownJob>('applicationId'),
    resolve: ({ applicationId }, _, context) => (applicationId === null ? null : applicationById.load(context, applicationId)),
  }),
);

const ApplicationConnection = defineConnection('Application', Application, 'applications');

function allApplications(context: Context): List<ApplicationRow> {
  requireRight(viewerOf(context), 'readApplications');
  const { read } = context.domain.store;
  return {
    positionOf: ({ id }) => [id],
    read: (slice) => listApplications(read, slice),
    count: () => countApplications(read),
  };
}

builder.queryFields((t) => ({
  application: t.field({
    type: Application,
    nullable: true,
    description: 'The application with this id. Null: there is none, or this key may not see it.',
    args: { id: t.arg.id({ required: true, description: 'Its id: `app_…`.' }) },
    resolve: (_, { id }, context) => applicationById.load(context, id),
  }),
  applications: t.field({
    type: ApplicationConnection,
    description: 'The catalogue, newest first.',
    args: pageArgs,
    resolve: (_, args, context) => connect(args, allApplications(context)),
  }),
}));

const ItemDefinitionInput = builder.inputType('ItemDefinitionInput', {
  description: 'An item that jobs are to take.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'What programs know it by: at most 200 characters, once in an application.' }),
    label: t.string({ description: 'What a form calls it.' }),
    description: t.string({ description: 'What it is for.' }),
    valueType: t.field({ type: ItemValueType, required: true, description: 'What the text of its value stands for.' }),
    defaultValue: t.string({ description: 'What it is in a job that does not say, as text. Default: none.' }),
    options: t.stringList({ description: 'The values that MULTI allows: at least one. Not for other types.' }),
    isRequired: t.boolean({
      required: true,
      defaultValue: false,
      description: 'Whether a job is to be refused without it. Where there is a default, that will do.',
    }),
  }),
});

const schemaRules =
  'A JSON Schema of draft-07, 2019-09 or, where `$schema` says nothing, 2020-12: at most 256 KB. References stay within it. Settings that take longer than a second to check are refused, and so are all others under the same schema for the next ten minutes.';

defineMutation('createApplication', {
  description: 'Adds a kind of job to the catalogue. By an editor with a key for all projects.',
  input: builder.inputType('CreateApplicationInput', {
    description: 'The application to add.',
    fields: (t) => ({
      name: t.string({ required: true, description: 'What people will call it: at most 200 characters, and of no other application.' }),
      description: t.string({ description: 'What it does.' }),
      itemDefinitions: t.field({ type: [ItemDefinitionInput], description: 'The items that its jobs take. Default: any.' }),
      settingsSchema: t.field({ type: 'JSONObject', description: `The settings that its jobs take. ${schemaRules} Default: any.` }),
      container: t.field({ type: ContainerInput, description: 'What its jobs run where they do not say. Default: each says so itself.' }),
      supportsContinualTraining: t.boolean({
        required: true,
        defaultValue: false,
        description: 'Whether its jobs may start from a version of a model.',
      }),
    }),
  }),
  payload: builder.objectRef<{ application: ApplicationRow }>('CreateApplicationPayload').implement({
    description: 'The application was added.',
    fields: (t) => ({ application: t.expose('application', { type: Application, description: 'The new application.' }) }),
  }),
  refusals: [InvalidInput, AlreadyExists],
  decide: (domain, principal, input: CreateApplicationInput) => createApplication(domain, principal, input),
});

defineMutation('updateApplication', {
  description:
    'Changes an application, for jobs that are made from then on: those that were made before keep what they were made with. By an editor with a ' +
    'key for all projects.',
  input: builder.inputType('UpdateApplicationInput', {
    description: 'What to change. What is left out or null stays as it is.',
    fields: (t) => ({
      applicationId: t.id({ required: true, description: 'The application to change.' }),
      name: t.string({ description: 'Its new name.' }),
      description: t.string({ description: 'What it does now.' }),
      itemDefinitions: t.field({
        type: [ItemDefinitionInput],
        description: 'The items that its jobs take, all of them. An empty list: any.',
      }),
      settingsSchema: t.field({
        type: 'JSONObject',
        description: `The settings that its jobs take. ${schemaRules} An empty object: any.`,
      }),
      container: t.field({ type: ContainerInput, description: 'What its jobs run where they do not say, whole.' }),
      supportsContinualTraining: t.boolean({ description: 'Whether its jobs may start from a version of a model.' }),
    }),
  }),
  payload: builder.objectRef<{ application: ApplicationRow }>('UpdateApplicationPayload').implement({
    description: 'The application was changed.',
    fields: (t) => ({ application: t.expose('application', { type: Application, description: 'The application as it is now.' }) }),
  }),
  refusals: [NotFound, InvalidInput],
  decide: (domain, principal, input: UpdateApplicationInput) => updateApplication(domain, principal, input),
});

defineMutation('deleteApplication', {
  description:
    'Takes an application out of the catalogue. Refused while a job of it has not ended; those that have keep what they ran with. By an editor ' +
    'with a key for all projects.',
  input: builder.inputType('DeleteApplicationInput', {
    description: 'The application to delete.',
    fields: (t) => ({ applicationId: t.id({ required: true, description: 'Its id. There is no way back.' }) }),
  }),
  payload: builder.objectRef<{ deletedApplicationId: string }>('DeleteApplicationPayload').implement({
    description: 'The application is gone.',
    fields: (t) => ({ deletedApplicationId: t.exposeID('deletedApplicationId', { description: 'The id that it had.' }) }),
  }),
  refusals: [NotFound, InvalidState],
  decide: deleteApplication,
});
