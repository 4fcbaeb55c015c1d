/** Ends something with several parts. */

/** Ends one part. What it resolves with does not matter. */
export type End = () => unknown;

/**
 * Ends parts step by step; the parts of one step end together. Each step begins after the one
 * before, even if that failed. Resolves with the failures, in order.
 */
export async function endInTurn(...steps: readonly (readonly End[])[]): Promise<PromiseRejectedResult[]> {
  const failures: PromiseRejectedResult[] = [];
  for (const step of steps) {
    const ended = await Promise.allSettled(step.map(async (end) => end()));
    failures.push(...ended.filter((one) => one.status === 'rejected'));
  }
  return failures;
}
