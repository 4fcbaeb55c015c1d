/** Who waits for what: after each commit, those are woken whose topics it touched. */
import { queueOfTopic } from '../domain/core/change.ts';
import type { Ticket, Waker } from '../domain/core/waker.ts';
import { Counter, Gauge, type Meter } from '../instruments/instruments.ts';
import { anyTopic, type Store, type Topic } from '../store/store.ts';
import { WaitQueue } from './wait-queue.ts';

export class Wakeups implements Waker {
  readonly #byTopic = new Map<Topic, Set<() => void>>();
  readonly #waitQueue = new WaitQueue();
  readonly #stop: () => void;
  readonly #woken = new Counter({ name: 'trainyard_wakeups_total', help: 'How often someone was woken who waits for news' });
  readonly meters: readonly Meter[] = [
    this.#woken,
    new Gauge(
      { name: 'trainyard_listeners', help: 'Topics that someone waits for news of, each as often as someone does' },
      () => this.size,
    ),
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

  /** Wakes everyone, so that who waits for work learns that there will be none here. */
  stop(): void {
    this.#isStopping = true;
    this.#wake(new Set([anyTopic]));
  }

  /** How many wait, for the leak tests and the metrics. */
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
    // Copied: waking may end the listening, or start another.
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
