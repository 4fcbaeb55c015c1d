import type { Pipeline } from '../pipeline.ts';
import type { HttpPlugin } from '../yoga.ts';

/** Runs the pipeline in place of Yoga's own parsing, validation and execution. */
export function usePipeline<C extends object>(pipeline: Pipeline<C>): HttpPlugin {
  return {
    onParse: ({ context, setParsedDocument }) => setParsedDocument(pipeline.prepare(context).operation.document),
    onValidate: ({ setResult }) => setResult([]),
    onExecute: ({ context, setExecuteFn }) => setExecuteFn(() => pipeline.execute(context)),
    onSubscribe: ({ context, setSubscribeFn }) => setSubscribeFn(() => pipeline.subscribe(context)),
  };
}
