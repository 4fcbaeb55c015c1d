import type { GraphQLError } from 'graphql';
import { badRequest } from '../../domain/core/request-refusals.ts';
import type { Answers } from '../answers.ts';
import type { ServerParts } from '../app.ts';
import type { Asked } from '../context.ts';
import { Documents, type Operation } from '../documents/documents.ts';
import { ManifestUnusable } from '../documents/manifest.ts';
import { PersistedDocuments } from '../documents/persisted.ts';
import { OperationRefused, toGraphQLError } from '../errors.ts';
import { HttpRefusal } from '../http/refusal.ts';
import type { PipelinePlugin } from '../pipeline.ts';
import type { OperationWatch } from '../watch/operation-watch.ts';

/** The number of invalid documents that an error names. */
const NAMED = 5;

/** Throws ManifestUnusable if some of the documents cannot be executed. */
function checkTrusted(documents: Documents, trusted: Iterable<readonly [id: string, text: string]>): void {
  const problems = Array.from(trusted).flatMap(([id, text]) => {
    const [error] = documents.check(text);
    return error ? [`${JSON.stringify(id)}: ${error.message}`] : [];
  });
  if (problems.length === 0) return;
  const count = problems.length === 1 ? 'A trusted document' : `${problems.length} trusted documents`;
  const rest = problems.length > NAMED ? ['…'] : [];
  throw new ManifestUnusable([`${count} cannot be executed.`, ...problems.slice(0, NAMED), ...rest].join('\n'));
}

/**
 * Finds the requested operation by its text, its hash or its id. Each text is parsed, validated and
 * measured once.
 *
 * Throws ManifestUnusable if a trusted document cannot be executed.
 */
export function useDocuments<C extends object>(parts: ServerParts<C>, answers: Answers, watch: OperationWatch): PipelinePlugin {
  const documents = new Documents(parts.schema, parts.limits);
  const persisted = new PersistedDocuments(parts.trustedDocuments);
  checkTrusted(documents, parts.trustedDocuments ?? []);

  function find({ params }: Asked): Operation | readonly GraphQLError[] {
    const text = persisted.find(params);
    if (typeof text !== 'string') return [toGraphQLError(text)];
    try {
      const found = documents.find(text, params.operationName);
      if ('node' in found) persisted.remember(params);
      return found;
    } catch (error) {
      return [answers.report(error)];
    }
  }

  return {
    prepare(context) {
      const found = find(context);
      if (!('node' in found)) throw new OperationRefused(watch.refused(context, found));
      if (found.node.operation === 'mutation' && !context.mayMutate) {
        throw new HttpRefusal(405, badRequest.mutationByGet(), { allow: 'POST' });
      }
      return { operation: found };
    },
  };
}
