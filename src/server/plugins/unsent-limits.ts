import type { Answer, Answers } from '../answers.ts';
import { bytesOf } from '../connections/unsent.ts';
import type { PipelinePlugin } from '../pipeline.ts';

/**
 * Counts the answer's bytes among what waits for its client, and refuses the answer to a query for which there is no room. A mutation
 * has taken effect by then: its answer is counted and goes out. Streams wait for room instead (execution/frames.ts).
 */
export function useUnsentLimits(answers: Answers): PipelinePlugin {
  return {
    onExecute({ context: { operation, share, call }, executeFn, setExecuteFn }) {
      setExecuteFn(async (args) => {
        const answer: Answer = await executeFn(args);
        const bytes = bytesOf(answer.text);
        const refusal = operation.node.operation === 'mutation' ? share.settle(bytes) : share.admit(bytes);
        return refusal ? answers.refusal([refusal], call) : answer;
      });
    },
  };
}
