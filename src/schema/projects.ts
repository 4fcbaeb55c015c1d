import { requireRight, scopeOf, sees } from '../domain/access/rights.ts';
import { gone, IdempotencyConflict, InvalidInput, InvalidState, NotFound } from '../domain/core/refusals.ts';
import { createProject, deleteProject, updateProject } from '../domain/jobs/projects.ts';
import { countProjects, listProjects, projectsByIds } from '../store/queries/projects.ts';
import type { ProjectRow } from '../store/schema/tables.ts';
import { builder } from './core/builder.ts';
import { connect, defineConnection, type List, pageArgs } from './core/connections.ts';
import { type Context, viewerOf } from './core/context.ts';
import { defineMutation } from './core/errors.ts';
import { byId, defineLoader } from './core/loaders.ts';
import { Node, readNodes } from './core/node.ts';
import { Project } from './core/nouns.ts';
import { IN_ITS_ROW } from './core/sizes.ts';
import { StepInput, StepTemplate } from './jobs/templates.ts';

/** Null: there is none, or it may not be seen. */
export const projectById = defineLoader<string, ProjectRow | null>(async (context, ids) => {
  const principal = viewerOf(context);
  const rows = await projectsByIds(context.domain.store.read, ids);
  return byId(
    ids,
    rows.filter(({ id }) => sees(principal, { projectId: id })),
  );
});
readNodes('Project', projectById);

/** The project of something that may be seen, which its project then may too. Throws NOT_FOUND when it was deleted since. */
export async function projectOf(context: Context, projectId: string): Promise<ProjectRow> {
  const project = await projectById.load(context, projectId);
  if (!project) throw gone('project', projectId);
  return project;
}

Project.implement({
  description:
    'Owns jobs, devices, files and keys. Whoever has a key of one project sees nothing of the others; a key of one job reads its id, its name, and what is the job’s own.',
  interfaces: [Node],
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What people call it. Not unique.' }),
    gitRepository: t.exposeString('gitRepository', {
      nullable: true,
      description: 'Where its code lives. Null: nobody said, or this key may not see it.',
    }),
    pipeline: t.expose('pipeline', {
      type: [StepTemplate],
      size: IN_ITS_ROW,
      description: 'The steps that triggerJob starts with. Unless it was set, that is one step named Bootstrap.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When its own fields last changed.' }),
  }),
});

const ProjectConnection = defineConnection('Project', Project, 'projects');

function allProjects(context: Context): List<ProjectRow> {
  const principal = viewerOf(context);
  requireRight(principal, 'readProjects');
  const of = scopeOf(principal);
  const { read } = context.domain.store;
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
    description: 'The project with this id. Null: there is none, or this key may not see it.',
    args: { id: t.arg.id({ required: true, description: 'Its id: `proj_…`.' }) },
    resolve: (_, { id }, context) => projectById.load(context, id),
  }),
  projects: t.field({
    type: ProjectConnection,
    description: 'The projects that this key sees, newest first.',
    args: pageArgs,
    resolve: (_, args, context) => connect(args, allProjects(context)),
  }),
}));

defineMutation('createProject', {
  description: 'Makes a project.',
  input: builder.inputType('CreateProjectInput', {
    description: 'The project to make.',
    fields: (t) => ({
      name: t.string({ required: true, description: 'What people will call it: at most 200 characters.' }),
      gitRepository: t.string({ description: 'Where its code lives.' }),
      pipeline: t.field({ type: [StepInput], description: 'The steps that triggerJob starts with. Default: one step named Bootstrap.' }),
      idempotencyKey: t.string({
        description: 'Any text of your own: the same key with the same input makes nothing new, and answers the first result.',
      }),
    }),
  }),
  payload: builder.objectRef<{ project: ProjectRow }>('CreateProjectPayload').implement({
    description: 'The project was made.',
    fields: (t) => ({ project: t.expose('project', { type: Project, description: 'The new project.' }) }),
  }),
  refusals: [InvalidInput, IdempotencyConflict],
  decide: createProject,
});

defineMutation('updateProject', {
  description: 'Changes a project. Its pipeline is for jobs that are triggered from then on.',
  input: builder.inputType('UpdateProjectInput', {
    description: 'What to change. What is left out or null stays as it is.',
    fields: (t) => ({
      projectId: t.id({ required: true, description: 'The project to change.' }),
      name: t.string({ description: 'Its new name.' }),
      gitRepository: t.string({ description: 'Where its code lives now.' }),
      pipeline: t.field({ type: [StepInput], description: 'Its new pipeline, whole.' }),
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
  description: 'Deletes a project and all that it owns: jobs, files, devices, keys. Refused while it has jobs that have not ended.',
  input: builder.inputType('DeleteProjectInput', {
    description: 'The project to delete.',
    fields: (t) => ({ projectId: t.id({ required: true, description: 'Its id. There is no way back.' }) }),
  }),
  payload: builder.objectRef<{ deletedProjectId: string }>('DeleteProjectPayload').implement({
    description: 'The project is gone.',
    fields: (t) => ({ deletedProjectId: t.exposeID('deletedProjectId', { description: 'The id that it had.' }) }),
  }),
  refusals: [NotFound, InvalidState],
  decide: deleteProject,
});
