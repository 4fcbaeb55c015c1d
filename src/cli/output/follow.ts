/**
 * Follows a job to its end: its status, steps, log and metrics, each a resumable stream, shown in
 * the order in which things happened. The log goes to stdout and everything else to stderr, so a
 * pipe gets the log alone. With JSON, every entry is a line of stdout.
 */
import { EventsDocument, JobNameDocument, JobStatusDocument, LogDocument, MetricsDocument } from '../../client/generated.ts';
import { subscribe } from '../../client/node/subscribe.ts';
import type { SubscribeOptions } from '../../client/subscription.ts';
import type { Context } from '../command.ts';
import type { FlagSet } from '../input/flags.ts';
import { BrokenPipe, exitCodes, UsageError } from '../io.ts';
import { cleanName } from '../terminal.ts';
import { Follower } from './follower.ts';
import { type Batch, type Entry, type Stream, showInOrder } from './merge.ts';

export const followFlags: FlagSet = {
  'patience-seconds': { value: 'N', description: 'how long to retry a lost connection', defaultText: '300' },
};

/** Follows until the job has ended. The exit code tells its outcome, or is 130 after Ctrl-C. */
export async function followJob(context: Context, jobId: string): Promise<number> {
  const { io } = context;
  const job = await findJob(context, jobId);
  const follower = new Follower(context, job);
  const over = new AbortController();
  try {
    await showInOrder(openStreams(context, jobId, follower, AbortSignal.any([io.signal, over.signal])));
  } finally {
    over.abort();
    await follower.stop();
  }
  if (io.signal.aborted) {
    if (io.signal.reason instanceof BrokenPipe) return exitCodes.brokenPipe;
    follower.note(`The job goes on. To cancel it: trainyard cancel ${jobId}\nTo follow it again: trainyard watch ${jobId}`);
    return exitCodes.interrupted;
  }
  return follower.end();
}

/**
 * The job with this id, and its steps.
 * @throws UsageError if there is none.
 */
export async function findJob({ client, io }: Pick<Context, 'client' | 'io'>, id: string) {
  const { job } = await client.request(JobNameDocument, { id }, { signal: io.signal });
  if (job === null) throw noJob(id);
  return job;
}

export const noJob = (id: string): UsageError => new UsageError(`There is no job ${cleanName(id)}, or the key cannot see it.`);

/** Subscribes to a job's streams. `follower` learns the state of their connections. */
function openStreams({ target, given }: Context, jobId: string, follower: Follower, signal: AbortSignal): Stream[] {
  const giveUpAfterSeconds = given.number('patience-seconds') ?? 300;
  const open = (subscribed: (options: SubscribeOptions) => AsyncIterable<Batch>): Stream => {
    const watch = follower.watchConnection();
    let isLost = false;
    const onState: SubscribeOptions['onState'] = (state, reason) => {
      isLost = reason !== undefined;
      watch(state, reason);
    };
    return { batches: subscribed({ signal, giveUpAfterSeconds, onState }), isLost: () => isLost };
  };
  const filter = { jobId, types: ['STEP_STATUS_CHANGED', 'STEPS_ADDED', 'FRAGMENT_READY'] as const };
  // All four end with the job: each says ENDED once everything is delivered.
  return [
    open((options) => batches(subscribe(target, JobStatusDocument, { jobId }, options), (frame) => follower.printStatus(frame))),
    open((options) =>
      batches(subscribe(target, EventsDocument, { filter }, options), ({ events }) => events.map((event) => follower.printEvent(event))),
    ),
    open((options) => batches(subscribe(target, LogDocument, { jobId }, options), (frame) => follower.printLog(frame))),
    open((options) => batches(subscribe(target, MetricsDocument, { jobId }, options), ({ points }) => follower.printMetrics(points))),
  ];
}

type Frame = Pick<Batch, 'state'>;

async function* batches<Value extends Frame>(stream: AsyncIterable<Value>, read: (frame: Value) => Entry[]): AsyncGenerator<Batch> {
  for await (const frame of stream) yield { state: frame.state, entries: read(frame) };
}
