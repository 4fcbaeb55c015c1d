/** How a thing of many parts ends. */

/** Of one part; what it resolves to does not matter. */
export type End = () => unknown;

/**
 * Ends parts in turn, those of one step at a time together: no step begins before the one before it is over, and none is left out because another
 * failed. Answers what failed, in order.
 */
export async function endInTurn(...steps: readonly (readonly End[])[]): Promise<PromiseRejectedResult[]> {
  const failures: PromiseRejectedResult[] = [];
  for (const step of steps) {
    const ended = await Promise.allSettled(step.map(async (end) => end()));
    failures.push(...ended.filter((one) => one.status === 'rejected'));
  }
  return failures;
}
