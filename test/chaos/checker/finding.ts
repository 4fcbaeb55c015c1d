/** A finding of the checker: a broken promise, with the notes and rows that show it. */
export type PromiseName = 'P1' | 'P2' | 'P3' | 'P4' | 'P5' | 'P6' | 'P7' | 'P8' | 'P14';

export interface Finding {
  readonly promise: PromiseName;
  /** One sentence. */
  readonly says: string;
  /** Notes as FILE:LINE, rows as TABLE and their key. */
  readonly evidence: readonly string[];
}

export const titles: Readonly<Record<PromiseName, string>> = {
  P1: 'durable',
  P2: 'one holder',
  P3: 'fenced',
  P4: 'recorded once',
  P5: 'reclaimed',
  P6: 'idempotent',
  P7: 'streams',
  P8: 'honest gaps',
  P14: 'no fault of the gateway',
};
