import type { Topic } from '../../store/store.ts';

/** Wakes listeners when something may have changed. Realtime implements it. */
export interface Waker {
  /**
   * Calls back after each commit that touched one of the topics. Returns a function that stops it.
   */
  on(topics: readonly Topic[], wake: () => void): () => void;
  /**
   * Enters the queue of claims that wait for work. Calls back when it is this claim's turn to look.
   * The claim must leave at its end.
   */
  joinWaitQueue(wake: () => void): Ticket;
  /** Whether the gateway is about to end: waiting claims return without work. */
  readonly isStopping: boolean;
}

/** A claim's place in the wait queue. */
export interface Ticket {
  /**
   * Call before each look for work: whatever becomes claimable from now on wakes this claim again.
   */
  startLook(): void;
  /**
   * Call after each look. For every queue that this claim was woken for, wakes two other claims
   * while `isLeft` says that a step is left, except for the queues in `kept`, which this claim will
   * look at again soon.
   */
  finishLook(isLeft: (queueId: string) => Promise<boolean>, kept?: ReadonlySet<string>): Promise<void>;
  /** Leaves the queue. Other claims are woken instead. */
  leave(): void;
}
