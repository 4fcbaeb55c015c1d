/**
 * The device inside every gateway: it claims the steps that aggregate rounds of federated jobs,
 * averages the models, and submits the mean.
 *
 * It works like any device, under a lease: a gateway that dies in the middle loses its lease, and
 * the step is claimed again, by itself after its restart or by another gateway on the same
 * database.
 */

import type { Principal } from '../domain/access/principal.ts';
import { type Claim, claimNextSteps, isNothingQueued } from '../domain/claims/claims.ts';
import { loseDevice } from '../domain/claims/expiry.ts';
import { releaseStep } from '../domain/claims/leases.ts';
import { completeStep, failStep } from '../domain/claims/outcomes.ts';
import { topics } from '../domain/core/change.ts';
import type { Domain } from '../domain/core/domain.ts';
import { InvalidInput, StaleLease } from '../domain/core/refusals.ts';
import type { Waker } from '../domain/core/waker.ts';
import { createFragment, finishUpload } from '../domain/files/fragments.ts';
import { type Aggregation, aggregationOf, NothingToAggregate } from '../domain/rounds/aggregation.ts';
import { ensureAggregator } from '../domain/steps/aggregator.ts';
import { isOpenStill } from '../store/unavailable.ts';
import { acceptMessage } from '../text/acceptable.ts';
import { NoMean } from './average.ts';
import { keepLease, LEASE_SECONDS, waitFor } from './lease.ts';
import { averageOf } from './threads.ts';

/** Polls this often without a wake-up, because one can get lost. */
const SAFETY_POLL_MS = 5_000;
/** Where another gateway polls. */
const RARE_POLL_MS = 30_000;
/** The pause after a try that failed because of the database or the disk. */
const PAUSE_MS = 2_000;
/** The length of a reason. A description may be longer, but a longer one says no more. */
const MOST_CHARACTERS = 2_000;

export interface AggregatorParts {
  readonly domain: Domain;
  readonly wakeups: Waker;
  /** Receives errors of this gateway that are not the models' fault. */
  onError(error: unknown): void;
}

type Self = Principal & { readonly deviceId: string };

export interface Aggregator {
  /** Stops at once. The current step is released, for another gateway or after the restart. */
  close(): Promise<void>;
}

export function startAggregator(parts: AggregatorParts): Aggregator {
  const stop = new AbortController();
  const running = run(parts, stop.signal);
  return {
    async close() {
      stop.abort();
      await running;
    },
  };
}

async function run(parts: AggregatorParts, signal: AbortSignal): Promise<void> {
  const { domain, wakeups } = parts;
  let self: Self | null = null;
  // If no other gateway ran, the steps that the device holds are from before the restart.
  let isReborn = domain.store.isFirst;
  let lookedAt = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    // Listen before looking.
    const { isElected } = domain.store;
    const wait = waitFor(parts, [topics.aggregations], isElected ? SAFETY_POLL_MS : RARE_POLL_MS, signal);
    const own = self && topics.device(self.deviceId);
    // Not through the wake-ups: other gateways would tell of every device whenever a step of it
    // ends.
    const stopHearing = domain.store.onCommit((touched) => {
      if (own !== null && touched.has(own)) wait.wake();
    }, []);
    try {
      self ??= await ensureAggregator(domain);
      if (isReborn) await loseDevice(domain, self.deviceId);
      isReborn = false;
      // The aggregators of all gateways are one device. The elected gateway keeps it ONLINE.
      const now = domain.clock.elapsed();
      const isOnline = !isElected || now - lookedAt < domain.limits.heartbeatSeconds * 500;
      if (isOnline && (await isNothingQueued(domain))) {
        await wait.woken;
        continue;
      }
      lookedAt = now;
      const { claims } = await claimNextSteps(domain, self, { limit: 1, leaseSeconds: LEASE_SECONDS, waitSeconds: 0 }, { signal, wakeups });
      const [claim] = claims;
      if (claim) await aggregate(parts, self, claim, signal);
      else await wait.woken;
    } catch (error) {
      parts.onError(error);
      // The device may have been deleted.
      self = null;
      await pause(parts, signal);
    } finally {
      stopHearing();
      wait.end();
    }
  }
}

async function pause(parts: AggregatorParts, signal: AbortSignal): Promise<void> {
  const wait = waitFor(parts, [], PAUSE_MS, signal);
  await wait.woken;
  wait.end();
}

/** Runs one step and ends it in any case. Throws unexpected errors. */
async function aggregate(parts: AggregatorParts, self: Self, claim: Claim, stopping: AbortSignal): Promise<void> {
  const { domain } = parts;
  const leaseToken = claim.lease.token;
  const lease = keepLease(parts, self, leaseToken, stopping);
  const began = performance.now();
  let outcome = 'done';
  try {
    const aggregation = await aggregationOf(domain, claim.step);
    await handIn(domain, self, claim, aggregation, lease.signal);
    await completeStep(domain, self, { leaseToken, description: describe(aggregation) });
  } catch (error) {
    outcome = 'given up';
    await lease.end();
    if (!(error instanceof StaleLease)) await giveUp(parts, self, leaseToken, lease.signal.aborted ? null : error);
  } finally {
    domain.instruments.aggregations.of({ outcome }).note((performance.now() - began) / 1_000);
    await lease.end();
  }
}

function describe({ models, isWeighted }: Aggregation): string {
  return `The mean of ${models.length} models, ${isWeighted ? 'weighted by their numbers of samples' : 'all with the same weight'}.`;
}

/** Computes the mean and stores it as it is computed. */
async function handIn(domain: Domain, self: Self, claim: Claim, { round, models }: Aggregation, signal: AbortSignal): Promise<void> {
  const bytes = averageOf(models, signal);
  try {
    // The first bytes prove that there is a mean: nothing is announced that cannot come.
    const first = await bytes.next();
    const { fragment } = await createFragment(domain, self, {
      jobId: claim.step.jobId,
      leaseToken: claim.lease.token,
      filename: `aggregate-round-${round}.safetensors`,
      type: 'MODEL',
    });
    await store(domain, fragment.id, first.done ? bytes : chain(first.value, bytes));
  } finally {
    await bytes.return();
  }
}

async function* chain(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}

async function store(domain: Domain, fragmentId: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const received = await domain.files.receive(fragmentId, bytes, domain.limits.fragmentBytesAtMost);
  try {
    await received.keep();
    await finishUpload(domain, fragmentId, received.file);
  } catch (error) {
    await received.drop();
    if (!isOpenStill(error)) await domain.files.remove(fragmentId);
    throw error;
  }
}

/**
 * Errors that the operator can fix, after which the same try succeeds. They are not the round's
 * fault.
 */
const isOfTheMachine = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'EROFS'].includes(String(error.code));

/** Ends the attempt. Null: it was told to stop. */
async function giveUp(parts: AggregatorParts, self: Self, leaseToken: string, error: unknown): Promise<void> {
  const { domain, onError } = parts;
  try {
    if (error === null) {
      await releaseStep(domain, self, { leaseToken });
    } else if (error instanceof NoMean || error instanceof NothingToAggregate || error instanceof InvalidInput) {
      await failStep(domain, self, { leaseToken, description: acceptMessage(error.message, MOST_CHARACTERS) });
    } else if (isOfTheMachine(error)) {
      await releaseStep(domain, self, { leaseToken, description: 'The gateway currently has no space for the aggregate.' });
      throw error;
    } else {
      await failStep(domain, self, { leaseToken, description: 'The gateway could not aggregate the models. Its log says why.' });
      onError(error);
    }
  } catch (failure) {
    // The lease ended meanwhile.
    if (!(failure instanceof StaleLease)) throw failure;
  }
}
