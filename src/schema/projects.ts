import type { GraphQLResolveInfo } from 'graphql';
import { requireRight, scopeOf, sees } from '../domain/access/rights.ts';
import { IdempotencyConflict, InvalidInput, InvalidState, NotFound } from '../domain/core/refusals.ts';
import { gone } from '../domain/core/request-refusals.ts';
import { createProject, deleteProject, updateProject } from '../domain/jobs/projects.ts';
import { countProjects, listProjects, projectsByIds } from '../store/queries/projects.ts';
import type { ProjectRow } from '../store/schema/tables.ts';
import { chooseColumns, forEachChoice } from '../store/statements/choice.ts';
import { builder } from './core/builder.ts';
import { chosenColumns } from './core/chosen-columns.ts';
import { connect, defineConnection, type List, pageArgs } from './core/connections.ts';
import { type Context, viewerOf } from './core/context.ts';
import { defineMutation } from './core/errors.ts';
import { byId, defineLoader } from './core/loaders.ts';
import { Node, readNodes } from './core/node.ts';
import { Project } from './core/nouns.ts';
import { IN_ITS_ROW } from './core/sizes.ts';
import { StepInput, StepTemplate } from './jobs/templates.ts';

/** Null when there is none or the caller may not see it. */
const projectByIdOf = forEachChoice((choice) =>
  defineLoader<string, ProjectRow | null>(async (context, ids) => {
    const principal = viewerOf(context);
    const rows = await projectsByIds(choice)(context.read, ids);
    return byId(
      ids,
      rows.filter(({ id }) => sees(principal, { projectId: id })),
    );
  }),
);
readNodes('Project', (context, id, info) => projectByIdOf(chosenColumns(info, { type: 'Project' })).load(context, id));

/** The project for a field, with what is selected of it. Null as above. */
export const shownProject = (context: Context, id: string | null, info: GraphQLResolveInfo): Promise<ProjectRow | null> | null =>
  id === null ? null : projectByIdOf(chosenColumns(info)).load(context, id);

/** Whether the caller sees such a project. */
export const seesProject = async (context: Context, id: string): Promise<boolean> =>
  (await projectByIdOf(chooseColumns(['id'])).load(context, id)) !== null;

/**
 * The project of an object that the caller may see: it may see the project too. Throws NOT_FOUND
 * when the project was deleted meanwhile.
 */
export async function projectOf(context: Context, projectId: string, info: GraphQLResolveInfo): Promise<ProjectRow> {
  const project = await shownProject(context, projectId, info);
  if (!project) throw gone('project', projectId);
  return project;
}

Project.implement({
  description:
    'A project owns jobs, devices, files and keys. A key of one project sees nothing of other projects. A key of one job sees ' +
    'only the id and name of its project, and what belongs to the job.',
  interfaces: [Node],
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name. Not unique.' }),
    gitRepository: t.exposeString('gitRepository', {
      nullable: true,
      description: 'The URL of its Git repository. Null: none was given, or this key may not see it.',
    }),
    pipeline: t.expose('pipeline', {
      type: [StepTemplate],
      size: IN_ITS_ROW,
      description: 'The steps of the jobs that triggerJob creates. Default: one step named Bootstrap.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When its own fields last changed.' }),
  }),
});

const ProjectConnection = defineConnection('Project', Project, 'projects');

function allProjects(context: Context): List<ProjectRow> {
  const principal = viewerOf(context);
  requireRight(principal, 'readProjects');
  const of = scopeOf(principal);
  const { read } = context;
  return {
    positionOf: ({ id }) => [id],
    read: (slice) => listProjects(read, of, slice),
    count: () => countProjects(read, of),
  };
}

builder.queryFields((t) => ({
  project: t.field({
    type: Project,
    nullable: true,
    description: 'The project with this id. Null when there is none or this key may not see it.',
    args: { id: t.arg.id({ required: true, description: 'Its id: `proj_…`.' }) },
    resolve: (_, { id }, context, info) => shownProject(context, id, info),
  }),
  projects: t.field({
    type: ProjectConnection,
    description: 'The projects that this key may see, newest first.',
    args: pageArgs,
    resolve: (_, args, context) => connect(args, allProjects(context)),
  }),
}));

defineMutation('createProject', {
  description: 'Creates a project.',
  input: builder.inputType('CreateProjectInput', {
    description: 'The project to create.',
    fields: (t) => ({
      name: t.string({ required: true, description: 'Its name: at most 200 characters.' }),
      gitRepository: t.string({ description: 'The URL of its Git repository.' }),
      pipeline: t.field({
        type: [StepInput],
        description: 'The steps of the jobs that triggerJob creates. Default: one step named Bootstrap.',
      }),
      idempotencyKey: t.string({
        description: 'Any text you choose. A repeated request with the same key and input creates nothing and returns the first result.',
      }),
    }),
  }),
  payload: builder.objectRef<{ project: ProjectRow }>('CreateProjectPayload').implement({
    description: 'The project was created.',
    fields: (t) => ({ project: t.expose('project', { type: Project, description: 'The new project.' }) }),
  }),
  refusals: [InvalidInput, IdempotencyConflict],
  decide: createProject,
});

defineMutation('updateProject', {
  description: 'Changes a project. A new pipeline applies to jobs that are triggered later.',
  input: builder.inputType('UpdateProjectInput', {
    description: 'The changes. A field that is left out or null stays unchanged.',
    fields: (t) => ({
      projectId: t.id({ required: true, description: 'The project to change.' }),
      name: t.string({ description: 'Its new name.' }),
      gitRepository: t.string({ description: 'Its new Git repository.' }),
      pipeline: t.field({ type: [StepInput], description: 'Replaces its pipeline.' }),
    }),
  }),
  payload: builder.objectRef<{ project: ProjectRow }>('UpdateProjectPayload').implement({
    description: 'The project was changed.',
    fields: (t) => ({ project: t.expose('project', { type: Project, description: 'The project as it is now.' }) }),
  }),
  refusals: [NotFound, InvalidInput],
  decide: updateProject,
});

defineMutation('deleteProject', {
  description:
    'Deletes a project and everything that it owns: jobs, files, devices and keys. Refused while it has jobs that have not ended.',
  input: builder.inputType('DeleteProjectInput', {
    description: 'The project to delete.',
    fields: (t) => ({ projectId: t.id({ required: true, description: 'Its id. Deleting cannot be undone.' }) }),
  }),
  payload: builder.objectRef<{ deletedProjectId: string }>('DeleteProjectPayload').implement({
    description: 'The project was deleted.',
    fields: (t) => ({ deletedProjectId: t.exposeID('deletedProjectId', { description: 'Its former id.' }) }),
  }),
  refusals: [NotFound, InvalidState],
  decide: deleteProject,
});
