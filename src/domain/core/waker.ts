import type { Topic } from '../../store/store.ts';

/** Where one hears that something may have changed; realtime has it. */
export interface Waker {
  /** Calls back after each commit that touched one of the topics. Returns the end of it. */
  on(topics: readonly Topic[], wake: () => void): () => void;
  /** Stands in line for work: calls back when it is one's turn to look. To be left by whoever enters it. */
  standInLine(wake: () => void): Place;
  /** The gateway is about to end: whoever waits for work is sent away without. */
  readonly isStopping: boolean;
}

/** A place in the line of those who wait for work. */
export interface Place {
  /** To be called before each look: of what comes from now on one is told again. */
  look(): void;
  /**
   * To be called after it: wakes others, where in a queue that one was woken for there is still something to claim; but for the queues that one keeps,
   * to look at them again soon.
   */
  looked(isLeft: (queueId: string) => Promise<boolean>, kept?: ReadonlySet<string>): Promise<void>;
  /** Gives up the place. Others are woken in one's stead. */
  leave(): void;
}
