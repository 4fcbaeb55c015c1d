/**
 * The line of those who wait for work. Work that comes to a queue of steps wakes one of them, who has waited longest, and not all: a step has one taker.
 *
 * Who is woken takes an errand along: to see to it that this queue is looked at by whoever can serve it. Having looked, it passes the errand on to two
 * others while there is a step left in the queue, whether it took one itself or could not: so as many are woken as there is work for, within few turns,
 * and one that nobody but the last in line can serve is found by him. An errand ends when the queue is empty, or when everyone has looked since the news
 * came. Who found that others have all that he could take of it in hand keeps the errand, and looks again. Whoever goes away in between hands his
 * errands over unseen.
 *
 * So, whenever a step can be claimed and somebody who could claim it waits here, somebody who was woken for it has not looked yet. What frees the one
 * who waits, and not the step (a slot of his device, a label), wakes him alone, by the topic of his device. Each gateway has a line of its own.
 */
import type { Place } from '../domain/core/waker.ts';

interface Waiter {
  readonly wake: () => void;
  /** The news that had come when it last began to look. */
  seen: number;
  /** By queue, the news that it is to look for. */
  errands: Map<string, number>;
}

export class Line {
  /** Who has waited longest comes first. */
  readonly #waiters = new Set<Waiter>();
  #news = 0;

  get size(): number {
    return this.#waiters.size;
  }

  /** A step of this queue can be claimed. */
  tell(queueId: string): void {
    this.#send(queueId, ++this.#news, 1);
  }

  /** Anything may have come. */
  tellAll(): void {
    this.#news++;
    for (const { wake } of [...this.#waiters]) wake();
  }

  enter(wake: () => void): Place {
    const waiter: Waiter = { wake, seen: this.#news, errands: new Map() };
    let inHand = new Map<string, number>();
    this.#waiters.add(waiter);
    return {
      look: () => {
        waiter.seen = this.#news;
        for (const [queueId, news] of waiter.errands) inHand.set(queueId, news);
        waiter.errands = new Map();
      },
      looked: async (isLeft, kept) => {
        for (const [queueId, news] of inHand) {
          if (kept?.has(queueId)) waiter.errands.set(queueId, Math.max(news, waiter.errands.get(queueId) ?? 0));
          // Not known is as good as left: he who looks finds out.
          else if (this.#hasNext(news) && (await isLeft(queueId).catch(() => true))) this.#send(queueId, news, 2);
        }
        inHand = new Map();
      },
      leave: () => {
        if (!this.#waiters.delete(waiter)) return;
        for (const [queueId, news] of [...inHand, ...waiter.errands]) this.#send(queueId, news, 1);
      },
    };
  }

  #hasNext(news: number): boolean {
    for (const { seen } of this.#waiters) if (seen < news) return true;
    return false;
  }

  /** Wakes so many of those who have not looked since, who were not woken for another queue before others. */
  #send(queueId: string, news: number, count: number): void {
    let left = count;
    for (const mayBeBusy of [false, true]) {
      for (const waiter of this.#waiters) {
        if (left === 0) return;
        const isBusy = waiter.errands.size > 0;
        if (waiter.seen >= news || isBusy !== mayBeBusy || waiter.errands.has(queueId)) continue;
        waiter.errands.set(queueId, news);
        waiter.wake();
        left--;
      }
    }
  }
}
