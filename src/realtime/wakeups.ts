/** Listeners by topic. After each commit, those whose topics it touched are woken. */
import { queueOfTopic, topics as topicOf } from '../domain/core/change.ts';
import type { Ticket, Waker } from '../domain/core/waker.ts';
import { Counter, Gauge, type Instrument } from '../instruments/instruments.ts';
import { anyTopic, kindOf, type Store, type Topic } from '../store/store.ts';
import { WaitQueue } from './wait-queue.ts';

/** Of the topics that the wait queue hears of. */
const WORK = kindOf(topicOf.work(''));

interface Kind {
  listeners: number;
  readonly stop: () => void;
}

export class Wakeups implements Waker {
  readonly #byTopic = new Map<Topic, Set<() => void>>();
  readonly #waitQueue = new WaitQueue();
  readonly #store: Store;
  /** The kinds of topics that anyone listens to: other gateways send no others. */
  readonly #kinds = new Map<string, Kind>();
  readonly #woken = new Counter({ name: 'trainyard_wakeups_total', help: 'Wake-ups of listeners' });
  readonly instruments: readonly Instrument[] = [
    this.#woken,
    new Gauge({ name: 'trainyard_listeners', help: 'Listeners that wait for a change, one per topic' }, () => this.size),
  ];
  #isStopping = false;

  constructor(store: Store) {
    this.#store = store;
  }

  on(topics: readonly Topic[], wake: () => void): () => void {
    for (const topic of topics) {
      const sleepers = this.#byTopic.get(topic);
      if (sleepers) sleepers.add(wake);
      else this.#byTopic.set(topic, new Set([wake]));
    }
    const kinds = [...new Set(topics.map(kindOf))].map((kind) => this.#listenTo(kind));
    return () => {
      for (const topic of topics) {
        const sleepers = this.#byTopic.get(topic);
        sleepers?.delete(wake);
        if (sleepers?.size === 0) this.#byTopic.delete(topic);
      }
      for (const stop of kinds.splice(0)) stop();
    };
  }

  joinWaitQueue(wake: () => void): Ticket {
    const ticket = this.#waitQueue.enter(wake);
    let stop: (() => void) | null = this.#listenTo(WORK);
    return {
      ...ticket,
      leave() {
        ticket.leave();
        stop?.();
        stop = null;
      },
    };
  }

  /** Call what it returns only once. */
  #listenTo(kind: string): () => void {
    const known = this.#kinds.get(kind) ?? { listeners: 0, stop: this.#store.onCommit((topics) => this.#wake(topics, kind), [kind]) };
    known.listeners++;
    this.#kinds.set(kind, known);
    return () => {
      if (--known.listeners > 0) return;
      known.stop();
      this.#kinds.delete(kind);
    };
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Wakes all listeners, so that waiting claims learn that the gateway stops. */
  stop(): void {
    this.#isStopping = true;
    for (const kind of this.#kinds.keys()) this.#wake(new Set([anyTopic]), kind);
  }

  /** The number of listeners, for leak tests and metrics. */
  get size(): number {
    let size = this.#waitQueue.size;
    for (const sleepers of this.#byTopic.values()) size += sleepers.size;
    return size;
  }

  close(): void {
    for (const { stop } of this.#kinds.values()) stop();
    this.#byTopic.clear();
  }

  #wake(topics: ReadonlySet<Topic>, kind: string): void {
    if (kind === WORK) {
      if (topics.has(anyTopic)) this.#waitQueue.nudgeAll();
      else this.#nudgeQueues(topics);
    }
    const woken = topics.has(anyTopic) ? [...this.#byTopic.keys()] : topics;
    for (const topic of woken) {
      if (kindOf(topic) !== kind) continue;
      // Copied, because a listener may stop or start listening when it is woken.
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
