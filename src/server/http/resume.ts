import { Kind, type OperationDefinitionNode } from 'graphql';
import { badRequest } from '../../domain/core/request-refusals.ts';
import type { Params } from '../context.ts';
import { HttpRefusal } from './refusal.ts';

/**
 * Going on with a stream by the means of server-sent events themselves. A subscription that passes a variable as `after` has its cursors
 * sent as the ids of its events; a client that lost its connection sends the last of them back in the header Last-Event-ID (browsers'
 * EventSource does so by itself), and it takes the place of that variable.
 */

/** The name of the variable that the subscription passes as `after`; null where it passes none, and cannot be gone on with in this way. */
export function findCursorVariable({ selectionSet }: OperationDefinitionNode): string | null {
  const [field] = selectionSet.selections;
  if (field?.kind !== Kind.FIELD) return null;
  const value = field.arguments?.find(({ name }) => name.value === 'after')?.value;
  return value?.kind === Kind.VARIABLE ? value.name.value : null;
}

/** The same params, going on after the event of that id. Throws an HttpRefusal of 400 where the document leaves no place for it. */
export function goOnAfter(params: Params, id: string | undefined, variable: string | null): Params {
  if (id === undefined || id === '') return params;
  if (variable === null) throw new HttpRefusal(400, badRequest.noCursorVariable());
  return { ...params, variables: { ...params.variables, [variable]: id } };
}
