import type { Answers } from '../answers.ts';
import { bytesOf } from '../connections/unsent.ts';
import type { PipelinePlugin } from '../pipeline.ts';

/**
 * Counts the bytes of an answer as unsent, and refuses the answer to a query that has no room. A
 * mutation has taken effect by then, so its answer is counted and sent. Streams wait for room
 * instead (execution/frames.ts).
 */
export function useUnsentLimits(answers: Answers): PipelinePlugin {
  return {
    async execute(context, inner) {
      const answer = await inner(context);
      const { operation, share, call } = context;
      const bytes = bytesOf(answer.text);
      const refusal = operation.node.operation === 'mutation' ? share.settle(bytes) : share.admit(bytes);
      return refusal ? answers.refusal([refusal], call) : answer;
    },
  };
}
