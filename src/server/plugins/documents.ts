import type { GraphQLError } from 'graphql';
import type { Answers } from '../answers.ts';
import type { ServerParts } from '../app.ts';
import type { Asked } from '../context.ts';
import { Documents, type Operation } from '../documents/documents.ts';
import { OperationRefused, refuse } from '../errors.ts';
import { HttpRefusal } from '../http/refusal.ts';
import type { PipelinePlugin } from '../pipeline.ts';
import type { OperationWatch } from '../watch/operation-watch.ts';

/** Finds the operation that was asked for: its document is parsed, validated and measured once a text. */
export function useDocuments<C extends object>(parts: ServerParts<C>, answers: Answers, watch: OperationWatch): PipelinePlugin {
  const documents = new Documents(parts.schema, parts.limits);

  function find({ params }: Asked): Operation | readonly GraphQLError[] {
    try {
      return documents.find(params.query, params.operationName);
    } catch (error) {
      return [answers.report(error)];
    }
  }

  return {
    onParse({ context, extendContext, setParsedDocument }) {
      const found = find(context);
      if (!('node' in found)) throw new OperationRefused(watch.refused(context, found));
      if (found.node.operation === 'mutation' && !context.mayMutate) {
        throw new HttpRefusal(405, refuse('BAD_REQUEST', 'Send mutations with POST.'), { allow: 'POST' });
      }
      extendContext({ operation: found });
      setParsedDocument(found.document);
    },
    // Yoga validates what it parsed. Here that is done by then.
    onValidate: ({ setResult }) => setResult([]),
  };
}
