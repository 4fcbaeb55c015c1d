/** What a step that aggregates a round has before it: the models that were handed in, and what each counts. */
import { participantsOfRound } from '../../store/changes/federations.ts';
import type { SharedFile } from '../../store/files/file-store.ts';
import { deviceById, fragmentById } from '../../store/queries/rows.ts';
import type { StepRow } from '../../store/schema/tables.ts';
import type { Domain } from '../core/domain.ts';

export interface ModelOfRound {
  readonly file: SharedFile;
  /** As messages name it. */
  readonly label: string;
  /** The number of samples where every device gave one, else 1. */
  readonly weight: number;
}

export interface Aggregation {
  readonly round: number;
  /** In the order in which their devices were selected: the same sums, whoever makes them. */
  readonly models: readonly ModelOfRound[];
  readonly isWeighted: boolean;
}

/** The step aggregates no round, or one of the models that it needs is gone. The message says so as a sentence. */
export class NothingToAggregate extends Error {}

/** Throws NothingToAggregate. */
export async function aggregationOf({ store, files }: Domain, { jobId, round, part }: StepRow): Promise<Aggregation> {
  if (round === null || part !== 'AGGREGATE')
    throw new NothingToAggregate(
      'The step asks for the aggregator of the gateway, which runs nothing but the aggregation of federated rounds.',
    );
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
