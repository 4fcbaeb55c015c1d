/**
 * The queue of claims that wait for work. A step has one taker, so a step that becomes claimable
 * wakes the claim that has waited longest, and not all of them.
 *
 * A claim that is woken carries a nudge: this queue of steps must be looked at by whoever can serve
 * it. Having looked, the claim passes the nudge on to two others while a step is left in the queue,
 * whether it took one itself or could not. So as many claims wake as there is work for, within few
 * turns, and a step that only the last claim in the queue can serve reaches it. A nudge ends when
 * its queue of steps is empty, or when every claim has looked since the wake-up. A claim that finds
 * every step it could take held by other transactions keeps the nudge and looks again. A claim that
 * leaves in between hands its nudges over.
 *
 * Hence: whenever a step is claimable and a claim that could take it waits here, some claim that
 * was woken for it has not looked yet. What frees the claimant and not the step (a slot of its
 * device, a label) wakes that claimant alone, by the topic of its device. Each gateway has a wait
 * queue of its own.
 */
import type { Ticket } from '../domain/core/waker.ts';

interface Waiter {
  readonly wake: () => void;
  /** The last wake-up that had been issued when it last began to look. */
  seen: number;
  /** The queues that it is to look at, each with the wake-up that asked for it. */
  nudges: Map<string, number>;
}

export class WaitQueue {
  /** Longest waiting first. */
  readonly #waiters = new Set<Waiter>();
  /** Counts wake-ups. */
  #latest = 0;

  get size(): number {
    return this.#waiters.size;
  }

  /** A step of this queue has become claimable. */
  nudge(queueId: string): void {
    this.#send(queueId, ++this.#latest, 1);
  }

  /** Anything may have become claimable. */
  nudgeAll(): void {
    this.#latest++;
    for (const { wake } of [...this.#waiters]) wake();
  }

  enter(wake: () => void): Ticket {
    const waiter: Waiter = { wake, seen: this.#latest, nudges: new Map() };
    let inHand = new Map<string, number>();
    this.#waiters.add(waiter);
    return {
      startLook: () => {
        waiter.seen = this.#latest;
        for (const [queueId, wakeup] of waiter.nudges) inHand.set(queueId, wakeup);
        waiter.nudges = new Map();
      },
      finishLook: async (isLeft, kept) => {
        for (const [queueId, wakeup] of inHand) {
          if (kept?.has(queueId)) waiter.nudges.set(queueId, Math.max(wakeup, waiter.nudges.get(queueId) ?? 0));
          // If the check fails, the next claim finds out.
          else if (this.#hasNext(wakeup) && (await isLeft(queueId).catch(() => true))) this.#send(queueId, wakeup, 2);
        }
        inHand = new Map();
      },
      leave: () => {
        if (!this.#waiters.delete(waiter)) return;
        for (const [queueId, wakeup] of [...inHand, ...waiter.nudges]) this.#send(queueId, wakeup, 1);
      },
    };
  }

  #hasNext(wakeup: number): boolean {
    for (const { seen } of this.#waiters) if (seen < wakeup) return true;
    return false;
  }

  /**
   * Wakes up to `count` claims that have not looked since this wake-up: idle ones first, then
   * those that were already woken for another queue.
   */
  #send(queueId: string, wakeup: number, count: number): void {
    let left = count;
    for (const mayBeBusy of [false, true]) {
      for (const waiter of this.#waiters) {
        if (left === 0) return;
        const isBusy = waiter.nudges.size > 0;
        if (waiter.seen >= wakeup || isBusy !== mayBeBusy || waiter.nudges.has(queueId)) continue;
        waiter.nudges.set(queueId, wakeup);
        waiter.wake();
        left--;
      }
    }
  }
}
