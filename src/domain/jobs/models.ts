/** Models that were made elsewhere: they become models and versions like those of jobs. */
import { lockFragment } from '../../store/changes/fragments.ts';
import { insertModel, insertModelVersion, lockModel, newestVersionNumber, touchModel } from '../../store/changes/models.ts';
import type { Optional } from '../../store/optional.ts';
import { modelsByIds, modelVersionsByIds, type ShownModelVersion } from '../../store/queries/models.ts';
import type { ModelRow, ModelVersionRow } from '../../store/schema/tables.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import type { Principal } from '../access/principal.ts';
import { requireRight, sees } from '../access/rights.ts';
import { visibleProject } from '../access/visible.ts';
import { change } from '../core/change.ts';
import { Checks } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import { once } from '../core/idempotency.ts';
import { NotFound } from '../core/refusals.ts';
import { later } from '../core/transitions.ts';
import { requireModel } from './experiments.ts';

export interface CreateModelInput {
  projectId: string;
  name: string;
  idempotencyKey?: Optional<string>;
}

/** Creates a model without versions. */
export async function createModel(domain: Domain, principal: Principal, input: CreateModelInput): Promise<{ model: ModelRow }> {
  requireRight(principal, 'createModel');
  const checks = new Checks(domain);
  checks.name(['name'], input.name);
  checks.done();
  return change(domain, principal, async (change) => {
    const project = await visibleProject(change, principal, input.projectId);
    return once(change, {
      operation: 'createModel',
      scope: project.id,
      input,
      run: async () => {
        const { now } = change;
        const model: ModelRow = {
          ...{ id: domain.ids.next('Model'), projectId: project.id, name: input.name, createdAt: now, updatedAt: now },
        };
        await insertRows(change.tx, insertModel, [model]);
        return { value: { model }, ids: [model.id] };
      },
      replay: async ([id = '']) => {
        const [model] = await modelsByIds(change.tx, [id]);
        if (!model) throw new NotFound('model', id);
        return { model };
      },
    });
  });
}

export interface CreateModelVersionInput {
  modelId: string;
  fragmentId: string;
  idempotencyKey?: Optional<string>;
}

/** Adds a file of the model's project to it as its newest version. */
export async function createModelVersion(
  domain: Domain,
  principal: Principal,
  input: CreateModelVersionInput,
): Promise<{ version: ShownModelVersion }> {
  requireRight(principal, 'createModel');
  return change(domain, principal, async (change) => {
    const { tx, now } = change;
    // As at the end of a job: the model first, under whose lock versions are numbered.
    const [model] = await tx.run(lockModel, { id: input.modelId });
    if (!model || !sees(principal, { projectId: model.projectId })) throw new NotFound('model', input.modelId);
    return once(change, {
      operation: 'createModelVersion',
      scope: model.id,
      input,
      run: async () => {
        // It must not be deleted meanwhile.
        const [fragment] = await tx.run(lockFragment, { id: input.fragmentId });
        await requireModel(tx, principal, model.projectId, input.fragmentId, ['fragmentId']);
        const [newest] = await tx.run(newestVersionNumber, { modelId: model.id });
        const version: ModelVersionRow = {
          id: domain.ids.next('ModelVersion'),
          modelId: model.id,
          number: (newest?.number ?? 0) + 1,
          jobId: fragment?.jobId ?? null,
          fragmentId: input.fragmentId,
          createdAt: now,
        };
        await insertRows(tx, insertModelVersion, [version]);
        await tx.run(touchModel, { id: model.id, now: later(now, model.updatedAt) });
        return { value: { version: await shown(version.id) }, ids: [version.id] };
      },
      replay: async ([id = '']) => ({ version: await shown(id) }),
    });

    async function shown(id: string): Promise<ShownModelVersion> {
      const [version] = await modelVersionsByIds(tx, [id]);
      if (!version) throw new NotFound('model version', id);
      return version;
    }
  });
}
