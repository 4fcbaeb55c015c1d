/** The model that a job starts from, as its input names it. */
import { modelVersionById, newestVersionOfModel } from '../../store/changes/models.ts';
import type { Optional } from '../../store/optional.ts';
import type { ModelVersionRow } from '../../store/schema/tables.ts';
import type { Change } from '../core/change.ts';
import type { Checks } from '../core/checks.ts';
import { wrongInput } from '../core/refusals.ts';

export interface NamedStart {
  /** A model, whose newest version it is. */
  startModelId?: Optional<string>;
  startModelVersionId?: Optional<string>;
}

export const namesStart = ({ startModelId, startModelVersionId }: NamedStart): boolean => Boolean(startModelId || startModelVersionId);

export function checkStart(checks: Checks, { startModelId, startModelVersionId }: NamedStart): void {
  if (startModelId && startModelVersionId) checks.refuse(['startModelId'], 'must not be given together with startModelVersionId.');
}

/**
 * The version that is named, or the newest of the model that is named. Null: none is. Throws if the
 * application does not support continual training, or if the version is of another project.
 */
export async function startOf(
  { tx }: Change,
  projectId: string,
  { startModelId, startModelVersionId }: NamedStart,
  supportsContinualTraining: boolean,
): Promise<ModelVersionRow | null> {
  const field = startModelVersionId ? 'startModelVersionId' : 'startModelId';
  const id = startModelVersionId || startModelId;
  if (!id) return null;
  if (!supportsContinualTraining) throw wrongInput.noContinualTraining(field);
  const [found] = await tx.run(startModelVersionId ? modelVersionById : newestVersionOfModel, { id });
  if (found?.projectId !== projectId) throw wrongInput.noStart(field, id);
  return found.version;
}
