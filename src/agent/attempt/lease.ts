import { Refused, unwrap } from '../../client/errors.ts';
import { RenewLeaseDocument } from '../../client/generated.ts';
import type { Requester } from '../../client/request.ts';
import { delayMs, wait } from '../../timing/backoff.ts';
import { isKeyRefused } from '../retrying.ts';

/**
 * Why a running step has to stop.
 *
 * - CANCEL: the job is cancelled. The step is ended and reported.
 * - PREEMPT: a more urgent step needs the device. The step is given back.
 * - RELEASE: this agent stops. The step is given back.
 * - LOST: the lease is no longer this device's. Nothing may be reported any more.
 */
export type StopOrder =
  | { readonly kind: 'CANCEL'; readonly reason: string | null }
  | { readonly kind: 'PREEMPT' | 'RELEASE' }
  | { readonly kind: 'LOST'; readonly message: string };

/** What the gateway adds to its answer to a renewal or a report. */
export interface LeaseDirectives {
  readonly isCancelRequested: boolean;
  readonly cancelReason?: string | null;
  readonly isPreempted: boolean;
  readonly isDraining: boolean;
}

/**
 * Renews a lease while its step runs, and learns whether to stop.
 *
 * Renews at a third of its time, so two renewals may fail before it runs out. Timers run on the
 * monotonic clock, so changes of the wall clock do not move them. While the gateway is away,
 * renewals are retried and the step goes on. When it is back, a lease that nobody else took is
 * still this device's; a taken one is answered with STALE_LEASE.
 */
export class LeaseKeeper {
  /** Aborted once, with the StopOrder as its reason, when the step has to stop. */
  readonly stop: AbortSignal;
  /** Aborted when the lease is lost, even after another order. */
  readonly lost: AbortSignal;
  readonly #stop = new AbortController();
  readonly #lost = new AbortController();
  readonly #closed = new AbortController();
  readonly #client: Requester;
  readonly #token: string;
  readonly #seconds: number;
  readonly #onDraining: (isDraining: boolean) => void;

  constructor(client: Requester, token: string, seconds: number, onDraining: (isDraining: boolean) => void) {
    this.#client = client;
    this.#token = token;
    this.#seconds = seconds;
    this.#onDraining = onDraining;
    this.stop = this.#stop.signal;
    this.lost = this.#lost.signal;
  }

  /** The first order, unless the lease is lost: that outweighs the rest. Null without an order. */
  get order(): StopOrder | null {
    // Only `command` and `lose` abort these, with a StopOrder.
    if (this.lost.aborted) return this.lost.reason as StopOrder;
    return this.stop.aborted ? (this.stop.reason as StopOrder) : null;
  }

  /** Renews until it is closed or lost. */
  async keep(): Promise<void> {
    const signal = AbortSignal.any([this.#closed.signal, this.lost]);
    const period = (this.#seconds / 3) * 1000;
    let failures = 0;
    while (!signal.aborted) {
      // After a failure, retry sooner than in a third, but not in a storm.
      const pause = failures === 0 ? period : Math.min(period, delayMs({ baseMs: 250, capMs: 5_000, random: Math.random }, failures));
      await wait(pause, signal).catch(() => {});
      if (signal.aborted) return;
      failures = (await this.#renew(signal)) ? 0 : failures + 1;
    }
  }

  /** Follows what an answer said. */
  learn(directives: LeaseDirectives): void {
    this.#onDraining(directives.isDraining);
    if (directives.isCancelRequested) this.command({ kind: 'CANCEL', reason: directives.cancelReason ?? null });
    else if (directives.isPreempted) this.command({ kind: 'PREEMPT' });
  }

  /** Follows a refusal. Returns whether the lease is lost. */
  learnRefusal(error: unknown): boolean {
    if (isKeyRefused(error) || (error instanceof Refused && isAboutLease(error))) this.#lose(error.message);
    return this.lost.aborted;
  }

  /** Tells the step to stop. The first order counts. */
  command(order: StopOrder): void {
    this.#stop.abort(order);
  }

  close(): void {
    this.#closed.abort();
  }

  #lose(message: string): void {
    const order: StopOrder = { kind: 'LOST', message };
    this.#lost.abort(order);
    this.#stop.abort(order);
  }

  async #renew(signal: AbortSignal): Promise<boolean> {
    const input = { leaseToken: this.#token, leaseSeconds: this.#seconds };
    try {
      const answer = await this.#client.request(RenewLeaseDocument, { input }, { signal, timeoutSeconds: Math.max(5, this.#seconds / 3) });
      this.learn(unwrap(answer.renewLease));
      return true;
    } catch (error) {
      this.learnRefusal(error);
      return false;
    }
  }
}

/**
 * STALE_LEASE, or a token that the gateway does not know: for example, the job was deleted after
 * its cancel timed out.
 */
const isAboutLease = ({ code, issues }: Refused) => code === 'STALE_LEASE' || issues.some(({ path }) => path[0] === 'leaseToken');
