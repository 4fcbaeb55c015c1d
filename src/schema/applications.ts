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

/** Null when there is none or the caller may not see it. */
const applicationById = defineLoader<string, ApplicationRow | null>(async (context, ids) =>
  byId(ids, may(viewerOf(context), rightToRead.Application) ? await applicationsByIds(context.read, ids) : []),
);
readNodes('Application', applicationById);

const ItemDefinition = builder.objectRef<ItemDefinitionShape>('ItemDefinition').implement({
  description: 'An item that jobs of an application accept.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name, unique within the application.' }),
    label: t.exposeString('label', { nullable: true, description: 'Its label in forms, if given.' }),
    description: t.exposeString('description', { nullable: true, description: 'Its purpose, if given.' }),
    valueType: t.expose('valueType', { type: ItemValueType, description: 'The type of its value.' }),
    defaultValue: t.exposeString('defaultValue', {
      nullable: true,
      description: 'The value in a job that gives none, as text in the canonical form of its type. Null: there is no default.',
    }),
    options: t.exposeStringList('options', { description: 'The allowed values, for type MULTI. Empty for other types.' }),
    isRequired: t.exposeBoolean('isRequired', {
      description: 'Whether a job must have a value for it. A default counts as a value.',
    }),
  }),
});

Application.implement({
  description:
    'A template for jobs: the items and settings that they accept, with defaults. Applications belong to no project, so every ' +
    "project can use them. A job keeps a copy of its application's definitions from when the job was created.",
  interfaces: [Node],
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name, unique among applications.' }),
    description: t.exposeString('description', { nullable: true, description: 'What it does, if given.' }),
    itemDefinitions: t.expose('itemDefinitions', {
      type: [ItemDefinition],
      size: IN_ITS_ROW,
      description: 'The items that its jobs accept, in order. Empty: any items.',
    }),
    settingsSchema: t.expose('settingsSchema', {
      type: 'JSONObject',
      nullable: true,
      description:
        'The JSON Schema of `Job.settings`. Its defaults apply to settings that a job leaves out. Unknown settings are accepted with ' +
        'a warning. Null: any settings.',
    }),
    container: t.expose('container', {
      type: Container,
      nullable: true,
      description: 'What its jobs run unless they have a container of their own. Null: there is none.',
    }),
    supportsContinualTraining: t.exposeBoolean('supportsContinualTraining', {
      description: 'Whether its jobs may start from a version of a model.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it last changed.' }),
  }),
});

builder.objectField(Job, 'application', (t) =>
  t.field({
    type: Application,
    nullable: true,
    description: 'Its application, as it is now. Null: it has none, the application was deleted, or this key may not see it.',
    extensions: reads<ShownJob>('applicationId'),
    resolve: ({ applicationId }, _, context) => (applicationId === null ? null : applicationById.load(context, applicationId)),
  }),
);

const ApplicationConnection = defineConnection('Application', Application, 'applications');

function allApplications(context: Context): List<ApplicationRow> {
  requireRight(viewerOf(context), 'readApplications');
  const { read } = context;
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
    description: 'The application with this id. Null when there is none or this key may not see it.',
    args: { id: t.arg.id({ required: true, description: 'Its id: `app_…`.' }) },
    resolve: (_, { id }, context) => applicationById.load(context, id),
  }),
  applications: t.field({
    type: ApplicationConnection,
    description: 'All applications, newest first.',
    args: pageArgs,
    resolve: (_, args, context) => connect(args, allApplications(context)),
  }),
}));

const ItemDefinitionInput = builder.inputType('ItemDefinitionInput', {
  description: 'An item that jobs accept.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Its name: at most 200 characters, unique within the application.' }),
    label: t.string({ description: 'Its label in forms.' }),
    description: t.string({ description: 'Its purpose.' }),
    valueType: t.field({ type: ItemValueType, required: true, description: 'The type of its value.' }),
    defaultValue: t.string({ description: 'The value in a job that gives none, as text. Default: none.' }),
    options: t.stringList({ description: 'The allowed values, for type MULTI only: at least one.' }),
    isRequired: t.boolean({
      required: true,
      defaultValue: false,
      description: 'Whether a job must have a value for it. A default counts as a value.',
    }),
  }),
});

const schemaRules =
  'A JSON Schema of draft-07, 2019-09 or 2020-12 (the default without `$schema`): at most 256 KB. References must stay within ' +
  'the schema. Settings that take longer than a second to validate are refused, and so are all settings under that schema for ' +
  'the next ten minutes.';

defineMutation('createApplication', {
  description: 'Creates an application. Allowed for an EDITOR with a key for all projects.',
  input: builder.inputType('CreateApplicationInput', {
    description: 'The application to create.',
    fields: (t) => ({
      name: t.string({ required: true, description: 'Its name: at most 200 characters, unique among applications.' }),
      description: t.string({ description: 'What it does.' }),
      itemDefinitions: t.field({ type: [ItemDefinitionInput], description: 'The items that its jobs accept. Default: any.' }),
      settingsSchema: t.field({ type: 'JSONObject', description: `The settings that its jobs accept. ${schemaRules} Default: any.` }),
      container: t.field({
        type: ContainerInput,
        description: 'What its jobs run unless they have a container of their own. Default: none.',
      }),
      supportsContinualTraining: t.boolean({
        required: true,
        defaultValue: false,
        description: 'Whether its jobs may start from a version of a model.',
      }),
    }),
  }),
  payload: builder.objectRef<{ application: ApplicationRow }>('CreateApplicationPayload').implement({
    description: 'The application was created.',
    fields: (t) => ({ application: t.expose('application', { type: Application, description: 'The new application.' }) }),
  }),
  refusals: [InvalidInput, AlreadyExists],
  decide: (domain, principal, input: CreateApplicationInput) => createApplication(domain, principal, input),
});

defineMutation('updateApplication', {
  description: 'Changes an application. The changes apply only to jobs created later. Allowed for an EDITOR with a key for all projects.',
  input: builder.inputType('UpdateApplicationInput', {
    description: 'The changes. A field that is left out or null stays unchanged.',
    fields: (t) => ({
      applicationId: t.id({ required: true, description: 'The application to change.' }),
      name: t.string({ description: 'Its new name.' }),
      description: t.string({ description: 'What it does now.' }),
      itemDefinitions: t.field({
        type: [ItemDefinitionInput],
        description: 'Replaces the items that its jobs accept. An empty list: any.',
      }),
      settingsSchema: t.field({
        type: 'JSONObject',
        description: `The settings that its jobs accept. ${schemaRules} An empty object: any.`,
      }),
      container: t.field({ type: ContainerInput, description: 'Replaces what its jobs run unless they have a container of their own.' }),
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
    'Deletes an application. Refused while it has jobs that have not ended. Other jobs keep what they ran with. Allowed for an ' +
    'EDITOR with a key for all projects.',
  input: builder.inputType('DeleteApplicationInput', {
    description: 'The application to delete.',
    fields: (t) => ({ applicationId: t.id({ required: true, description: 'Its id. Deleting cannot be undone.' }) }),
  }),
  payload: builder.objectRef<{ deletedApplicationId: string }>('DeleteApplicationPayload').implement({
    description: 'The application was deleted.',
    fields: (t) => ({ deletedApplicationId: t.exposeID('deletedApplicationId', { description: 'Its former id.' }) }),
  }),
  refusals: [NotFound, InvalidState],
  decide: deleteApplication,
});
