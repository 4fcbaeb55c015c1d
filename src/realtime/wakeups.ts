/** Listeners by topic. After each commit, those whose topics it touched are woken. */
import { queueOfTopic } from '../domain/core/change.ts';
import type { Ticket, Waker } from '../domain/core/waker.ts';
import { Counter, Gauge, type Instrument } from '../instruments/instruments.ts';
import { anyTopic, type Store, type Topic } from '../store/store.ts';
import { WaitQueue } from './wait-queue.ts';

export class Wakeups implements Waker {
  readonly #byTopic = new Map<Topic, Set<() => void>>();
  readonly #waitQueue = new WaitQueue();
  readonly #stop: () => void;
  readonly #woken = new Counter({ name: 'trainyard_wakeups_total', help: 'Wake-ups of listeners' });
  readonly instruments: readonly Instrument[] = [
    this.#woken,
    new Gauge({ name: 'trainyard_listeners', help: 'Listeners that wait for a change, one per topic' }, () => this.size),
  ];
  #isStopping = false;

  constructor(store: Store) {
    this.#stop = store.onCommit((topics) => this.#wake(topics));
  }

  on(topics: readonly Topic[], wake: () => void): () => void {
    for (const topic of topics) {
      const sleepers = this.#byTopic.get(topic);
      if (sleepers) sleepers.add(wake);
      else this.#byTopic.set(topic, new Set([wake]));
    }
    return () => {
      for (const topic of topics) {
        const sleepers = this.#byTopic.get(topic);
        sleepers?.delete(wake);
        if (sleepers?.size === 0) this.#byTopic.delete(topic);
      }
    };
  }

  joinWaitQueue(wake: () => void): Ticket {
    return this.#waitQueue.enter(wake);
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Wakes all listeners, so that waiting claims learn that the gateway stops. */
  stop(): void {
    this.#isStopping = true;
    this.#wake(new Set([anyTopic]));
  }

  /** The number of listeners, for leak tests and metrics. */
  get size(): number {
    let size = this.#waitQueue.size;
    for (const sleepers of this.#byTopic.values()) size += sleepers.size;
    return size;
  }

  close(): void {
    this.#stop();
    this.#byTopic.clear();
  }

  #wake(topics: ReadonlySet<Topic>): void {
    if (topics.has(anyTopic)) this.#waitQueue.nudgeAll();
    else this.#nudgeQueues(topics);
    const woken = topics.has(anyTopic) ? [...this.#byTopic.keys()] : topics;
    // Copied, because a listener may stop or start listening when it is woken.
    for (const topic of woken) {
      for (const wake of [...(this.#byTopic.get(topic) ?? [])]) {
        this.#woken.value += 1;
        wake();
      }
    }
  }

  #nudgeQueues(topics: ReadonlySet<Topic>): void {
    for (const topic of topics) {
      const queueId = queueOfTopic(topic);
      if (queueId !== null) this.#waitQueue.nudge(queueId);
    }
  }
}
