/** A federated job, followed round by round. */
import { join } from 'node:path';
import { requestUntilAnswered, untilAnswered } from '../../src/agent/retrying.ts';
import { RoundEventsDocument, RoundsDocument, type RoundsQuery } from '../../src/client/generated.ts';
import { downloadFile } from '../../src/client/node/files.ts';
import { subscribe } from '../../src/client/node/subscribe.ts';
import type { Requester } from '../../src/client/request.ts';

/** A restarted gateway is back much sooner. */
const giveUpAfterSeconds = 120;

type Job = NonNullable<RoundsQuery['job']>;
export type Round = NonNullable<Job['federation']>['rounds'][number];

export interface RoundsOfJob {
  readonly rounds: readonly Round[];
  readonly steps: Job['steps'];
}

/** Callbacks for what happens. Each is awaited before the next event is processed. */
export interface RoundWatch {
  /** The quorum of models has arrived. */
  onModels(round: number): Promise<void>;
  /** The aggregator has started to aggregate the round's models. */
  onAggregating(round: number): Promise<void>;
  /** The round has its aggregate. */
  onAggregate(round: number): Promise<void>;
}

/**
 * Resolves with the job's status and reason when it has ended.
 * @throws GatewayUnreachable when the gateway is away for two minutes; the signal's reason.
 */
export async function followRounds(
  client: Requester,
  jobId: string,
  watch: RoundWatch,
  signal: AbortSignal,
): Promise<{ status: string; description: string }> {
  for await (const { events } of subscribe(client.target, RoundEventsDocument, { jobId }, { signal, giveUpAfterSeconds })) {
    for (const event of events) {
      if (event.__typename === 'RoundChangedEvent') {
        if (event.roundTo === 'AGGREGATING') await watch.onModels(event.round.number);
        if (event.roundTo === 'SUCCEEDED') await watch.onAggregate(event.round.number);
      } else if (event.__typename === 'StepStatusChangedEvent') {
        const { part, round } = event.step;
        if (event.stepTo === 'RUNNING' && part === 'AGGREGATE' && round) await watch.onAggregating(round.number);
      } else if (event.__typename === 'JobStatusChangedEvent' && ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(event.jobTo)) {
        return { status: event.jobTo, description: event.description };
      }
    }
  }
  signal.throwIfAborted();
  throw new Error('The stream of events ended before the job did.');
}

/** The job's steps and rounds as they are now. Waits for a gateway that is away. */
export async function readJob(client: Requester, jobId: string, signal: AbortSignal): Promise<RoundsOfJob> {
  const { job } = await requestUntilAnswered(client, RoundsDocument, { jobId }, { signal });
  if (!job?.federation) throw new Error('The job was deleted while it was followed.');
  return { steps: job.steps, rounds: job.federation.rounds };
}

/**
 * Downloads the models of a round into `folder`. Returns the paths of the aggregate and, by device,
 * of its parts. Waits for a gateway that is away.
 */
export async function fetchModels(
  client: Requester,
  round: Round,
  folder: string,
  signal: AbortSignal,
): Promise<{ aggregate: string; handedIn: ReadonlyMap<string, string> }> {
  const fetch = async (model: Round['aggregateModel']) => {
    if (!model?.downloadUrl) throw new Error(`A model of round ${round.number} is not there.`);
    // Named by id, because the device chose the filename.
    const path = join(folder, `${model.id}.safetensors`);
    const { downloadUrl, sha256 } = model;
    await untilAnswered(() => downloadFile(client.target, downloadUrl, { path, sha256, signal }), signal);
    return path;
  };
  const handedIn = new Map<string, string>();
  for (const { device, fragment, isLate } of round.models) if (!isLate) handedIn.set(device.name, await fetch(fragment));
  return { aggregate: await fetch(round.aggregateModel), handedIn };
}
