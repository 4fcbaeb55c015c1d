import { delayMs, wait } from '../../client/backoff.ts';
import { Refused, unwrap } from '../../client/errors.ts';
import type { Client } from '../../client/fetch.ts';
import { RenewLeaseDocument } from '../../client/generated.ts';
import { isKeyRefused } from '../asking.ts';

/**
 * Why a running step is to stop:
 * CANCEL: the job is cancelled; the step is ended and reported. PREEMPT: the step is to be given back. RELEASE: so it is, because this agent
 * stops. LOST: the lease is another's by now, or nobody's; nothing may be said any more.
 */
export type StopOrder =
  | { readonly kind: 'CANCEL'; readonly reason: string | null }
  | { readonly kind: 'PREEMPT' | 'RELEASE' }
  | { readonly kind: 'LOST'; readonly message: string };

/** What the gateway says beside the answer to a renewal or a report. */
export interface LeaseNews {
  readonly isCancelRequested: boolean;
  readonly cancelReason?: string | null;
  readonly isPreempted: boolean;
  readonly isDraining: boolean;
}

/**
 * Keeps a lease while its step runs, and learns whether to stop. Renews at a third of its time, so that two renewals may fail before it runs out; timers run on
 * the monotonic clock, which no change of the time of day moves. While the gateway is away it goes on asking, and the step goes on too: when the gateway is back, a
 * lease that nobody else has taken is still this one's, and one that was taken is answered with STALE_LEASE.
 */
export class LeaseKeeper {
  /** Aborted with the StopOrder as its reason, once: when the step is to stop. */
  readonly stop: AbortSignal;
  /** Aborted when the lease is lost, whether or not there was another order before. */
  readonly lost: AbortSignal;
  readonly #stop = new AbortController();
  readonly #lost = new AbortController();
  readonly #closed = new AbortController();
  readonly #client: Client;
  readonly #token: string;
  readonly #seconds: number;
  readonly #onDraining: (isDraining: boolean) => void;

  constructor(client: Client, token: string, seconds: number, onDraining: (isDraining: boolean) => void) {
    this.#client = client;
    this.#token = token;
    this.#seconds = seconds;
    this.#onDraining = onDraining;
    this.stop = this.#stop.signal;
    this.lost = this.#lost.signal;
  }

  /** What was ordered first, or that the lease is lost, which outweighs all; null when nothing was. */
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
      // After a failure sooner than in a third, but not in a storm.
      const pause = failures === 0 ? period : Math.min(period, delayMs({ baseMs: 250, capMs: 5_000, random: Math.random }, failures));
      await wait(pause, signal).catch(() => {});
      if (signal.aborted) return;
      failures = (await this.#renew(signal)) ? 0 : failures + 1;
    }
  }

  /** Takes in what an answer said. */
  learn(news: LeaseNews): void {
    this.#onDraining(news.isDraining);
    if (news.isCancelRequested) this.command({ kind: 'CANCEL', reason: news.cancelReason ?? null });
    else if (news.isPreempted) this.command({ kind: 'PREEMPT' });
  }

  /** Takes in why a request was refused; answers whether that means that the lease is lost. */
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

/** STALE_LEASE, or a token that the gateway does not know: the job was deleted after its cancel had timed out, say. */
const isAboutLease = ({ code, issues }: Refused) => code === 'STALE_LEASE' || issues.some(({ path }) => path[0] === 'leaseToken');
