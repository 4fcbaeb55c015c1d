import type { Topic } from '../store/store.ts';

/** Where one hears that something may have changed; realtime has it. */
export interface Waker {
  /** Calls back after each commit that touched one of the topics. Returns the end of it. */
  on(topics: readonly Topic[], wake: () => void): () => void;
  /** The gateway is about to end: whoever waits for work is sent away without. */
  readonly isStopping: boolean;
}
