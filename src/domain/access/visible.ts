/** Look-ups in a change. They throw NotFound for an object that the principal does not see. */
import { jobById, projectById } from '../../store/queries/rows.ts';
import type { JobRow, ProjectRow } from '../../store/schema/tables.ts';
import type { Change } from '../core/change.ts';
import { NotFound } from '../core/refusals.ts';
import type { Principal } from './principal.ts';
import { sees } from './rights.ts';

export async function visibleProject({ tx }: Change, principal: Principal, id: string): Promise<ProjectRow> {
  const [project] = await tx.run(projectById, { id });
  if (!project || !sees(principal, { projectId: id })) throw new NotFound('project', id);
  return project;
}

export async function visibleJob({ tx }: Change, principal: Principal, id: string): Promise<JobRow> {
  const [job] = await tx.run(jobById, { id });
  if (!job || !sees(principal, { projectId: job.projectId, jobId: id })) throw new NotFound('job', id);
  return job;
}
