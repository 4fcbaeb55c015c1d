/** Models: named series of versions. A training job that succeeds adds a version. */

import {
  insertModel,
  insertModelVersion,
  lockModel,
  newestModelOfJob,
  newestVersionNumber,
  touchModel,
} from '../../store/changes/models.ts';
import type { JobRow, ModelRow, ModelVersionRow } from '../../store/schema/tables.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import type { Change } from '../core/change.ts';
import { wrongInput } from '../core/refusals.ts';
import { later, setJobFields } from '../core/transitions.ts';

/**
 * Call this before a job succeeds. Picks the result among its fragments and adds a version to its
 * model. Returns the columns of the job that change.
 */
export async function recordResult(change: Change, job: JobRow): Promise<Partial<JobRow>> {
  const { tx, domain, now } = change;
  // The result of a federated job is the aggregate of its last round, recorded when it was stored.
  // Models submitted by devices are not a result.
  const [newestModel] = job.isFederated ? [] : await tx.run(newestModelOfJob, { jobId: job.id });
  const resultModelId = job.resultModelId ?? newestModel?.id ?? null;
  if (resultModelId === null) return {};
  const columns: Partial<JobRow> = { resultModelId };
  if (job.type === 'TRAINING') {
    const model = (await existingModel(change, job.modelId)) ?? (await addModel(change, job));
    const [newest] = await tx.run(newestVersionNumber, { modelId: model.id });
    const version: ModelVersionRow = {
      id: domain.ids.next('ModelVersion'),
      modelId: model.id,
      number: (newest?.number ?? 0) + 1,
      jobId: job.id,
      fragmentId: resultModelId,
      createdAt: now,
    };
    await insertRows(tx, insertModelVersion, [version]);
    await tx.run(touchModel, { id: model.id, now: later(now, model.updatedAt) });
    Object.assign(columns, { modelId: model.id, modelVersionId: version.id });
  }
  await setJobFields(change, job.id, columns);
  return columns;
}

async function existingModel({ tx }: Change, id: string | null): Promise<ModelRow | undefined> {
  return id === null ? undefined : (await tx.run(lockModel, { id }))[0];
}

async function addModel({ tx, domain, now }: Change, job: JobRow): Promise<ModelRow> {
  const model: ModelRow = { id: domain.ids.next('Model'), projectId: job.projectId, name: job.name, createdAt: now, updatedAt: now };
  await insertRows(tx, insertModel, [model]);
  return model;
}

/** Throws if the model belongs to another project. */
export async function requireOwnModel({ tx }: Change, projectId: string, modelId: string): Promise<void> {
  const [model] = await tx.run(lockModel, { id: modelId });
  if (model?.projectId !== projectId) throw wrongInput.noModel(modelId);
}
