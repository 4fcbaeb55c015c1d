/** The input of a step that aggregates a round: the submitted models and their weights. */
import { participantsOfRound } from '../../store/changes/federations.ts';
import type { SharedFile } from '../../store/files/file-store.ts';
import { deviceById, fragmentById } from '../../store/queries/rows.ts';
import type { StepRow } from '../../store/schema/tables.ts';
import type { Domain } from '../core/domain.ts';

export interface ModelOfRound {
  readonly file: SharedFile;
  /** The name of the model in messages. */
  readonly label: string;
  /** The number of samples if every device reported one, else 1. */
  readonly weight: number;
}

export interface Aggregation {
  readonly round: number;
  /**
   * In the order in which the devices were selected, so that every aggregator computes the same
   * sums.
   */
  readonly models: readonly ModelOfRound[];
  readonly isWeighted: boolean;
}

/**
 * The step does not aggregate a round, or a model that it needs is gone. The message says which, as
 * a sentence.
 */
export class NothingToAggregate extends Error {}

/** Throws NothingToAggregate. */
export async function aggregationOf({ store, files }: Domain, { jobId, round, part }: StepRow): Promise<Aggregation> {
  if (round === null || part !== 'AGGREGATE')
    throw new NothingToAggregate("The step asks for the gateway's aggregator, which only aggregates federated rounds.");
  const participants = await store.read.run(participantsOfRound, { jobId, round });
  const submitted = participants.filter(({ status }) => status === 'SUBMITTED');
  const isWeighted = submitted.every(({ numSamples }) => numSamples !== null);
  const models: ModelOfRound[] = [];
  for (const { deviceId, fragmentId, numSamples } of submitted) {
    const [device] = await store.read.run(deviceById, { id: deviceId });
    const label = `The model of device ${device?.name ?? deviceId}`;
    const [fragment] = fragmentId ? await store.read.run(fragmentById, { id: fragmentId }) : [];
    if (!fragment || fragment.sha256 === null) throw new NothingToAggregate(`${label} was deleted.`);
    models.push({ file: files.share({ id: fragment.id, sha256: fragment.sha256 }), label, weight: isWeighted ? (numSamples ?? 1) : 1 });
  }
  return { round, models, isWeighted };
}
