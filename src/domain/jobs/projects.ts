/** Projects: they own jobs, devices, fragments and keys. */

import { unfinishedJob } from '../../store/changes/jobs.ts';
import { insertProject, removeProject, saveProjectFields } from '../../store/changes/projects.ts';
import type { Optional } from '../../store/optional.ts';
import { projectById } from '../../store/queries/rows.ts';
import type { ProjectRow } from '../../store/schema/tables.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import { type AuditSubject, audit, changedBetween, madeWith } from '../access/audit.ts';
import type { Principal } from '../access/principal.ts';
import { requireAllProjects, requireRight } from '../access/rights.ts';
import { visibleProject } from '../access/visible.ts';
import { change, topics } from '../core/change.ts';
import { Checks, type StepInput, stepTemplateOf } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import { once } from '../core/idempotency.ts';
import { NotFound, wrongState } from '../core/refusals.ts';
import { later } from '../core/transitions.ts';
import { removeFiles } from '../files/fragments.ts';
import { recordDevices } from '../steps/device-changes.ts';

/** The steps of triggerJob for a project without a pipeline. */
const defaultPipeline: readonly StepInput[] = [{ name: 'Bootstrap' }];

interface ProjectInput {
  name?: Optional<string>;
  gitRepository?: Optional<string>;
  pipeline?: Optional<readonly StepInput[]>;
}

const subjectOf = ({ id, name }: ProjectRow): AuditSubject => ({ type: 'PROJECT', id, name, projectId: id });
/** The URL of a repository may contain a password, and the environment of a pipeline anything. */
const projectFields = { shown: ['name'], named: ['gitRepository', 'pipeline'] } as const;

function checkProject(domain: Domain, input: ProjectInput): void {
  const checks = new Checks(domain);
  checks.name(['name'], input.name);
  checks.text(['gitRepository'], input.gitRepository, 2_048);
  checks.steps(['pipeline'], input.pipeline);
  checks.done();
}

export async function createProject(
  domain: Domain,
  principal: Principal,
  input: ProjectInput & { name: string; idempotencyKey?: Optional<string> },
): Promise<{ project: ProjectRow }> {
  requireAllProjects(principal, 'createProject');
  checkProject(domain, input);
  return change(domain, principal, (change) =>
    once(change, {
      operation: 'createProject',
      scope: '',
      input,
      run: async () => {
        const project: ProjectRow = {
          id: domain.ids.next('Project'),
          name: input.name,
          gitRepository: input.gitRepository ?? null,
          pipeline: (input.pipeline ?? defaultPipeline).map(stepTemplateOf),
          createdAt: change.now,
          updatedAt: change.now,
        };
        await insertRows(change.tx, insertProject, [project]);
        await audit(change, 'PROJECT_CREATED', subjectOf(project), madeWith(project, projectFields));
        return { value: { project }, ids: [project.id] };
      },
      replay: async ([id = '']) => {
        const [project] = await change.tx.run(projectById, { id });
        if (!project) throw new NotFound('project', id);
        return { project };
      },
    }),
  );
}

/**
 * The id of the oldest project. Creates one if there is none, so that a first job needs only a
 * name.
 */
export function firstProject(domain: Domain): Promise<string> {
  return change(domain, null, async (change) => {
    const { tx, domain, now } = change;
    // Ids are in order of creation.
    const [known] = await tx.db.select({ id: tx.t.projects.id }).from(tx.t.projects).orderBy(tx.t.projects.id).limit(1);
    if (known) return known.id;
    const project: ProjectRow = {
      id: domain.ids.next('Project'),
      name: 'default',
      gitRepository: null,
      pipeline: defaultPipeline.map(stepTemplateOf),
      createdAt: now,
      updatedAt: now,
    };
    await insertRows(tx, insertProject, [project]);
    await audit(change, 'PROJECT_CREATED', subjectOf(project), madeWith(project, projectFields));
    return project.id;
  });
}

/** Changes the given fields. Null leaves a field as it is. */
export async function updateProject(
  domain: Domain,
  principal: Principal,
  input: ProjectInput & { projectId: string },
): Promise<{ project: ProjectRow }> {
  requireRight(principal, 'updateProject');
  checkProject(domain, input);
  return change(domain, principal, async (change) => {
    const project = await visibleProject(change, principal, input.projectId);
    const updated: ProjectRow = {
      ...project,
      name: input.name ?? project.name,
      gitRepository: input.gitRepository ?? project.gitRepository,
      pipeline: input.pipeline ? input.pipeline.map(stepTemplateOf) : project.pipeline,
      updatedAt: later(change.now, project.updatedAt),
    };
    await saveProjectFields(change.tx, project.id, updated);
    const changes = changedBetween(project, updated, projectFields);
    if (Object.keys(changes).length > 0) await audit(change, 'PROJECT_CHANGED', subjectOf(updated), changes);
    return { project: updated };
  });
}

/** Deletes a project and everything that belongs to it. Refused while a job of it has not ended. */
export async function deleteProject(
  domain: Domain,
  principal: Principal,
  { projectId }: { projectId: string },
): Promise<{ deletedProjectId: string }> {
  requireRight(principal, 'deleteProject');
  const files = await change(domain, principal, async (change) => {
    const project = await visibleProject(change, principal, projectId);
    const { tx } = change;
    const [unfinished] = await tx.run(unfinishedJob, { projectId });
    if (unfinished) throw wrongState.hasJob(unfinished);
    const { fragmentIds, keyIds, devices } = await removeProject(tx, projectId, change);
    for (const keyId of keyIds) tx.touch(topics.key(keyId));
    await audit(change, 'PROJECT_DELETED', subjectOf(project));
    await recordDevices(change, devices);
    return fragmentIds;
  });
  await removeFiles(domain, files);
  return { deletedProjectId: projectId };
}
