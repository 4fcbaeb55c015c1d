import {
  type ASTVisitor,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';
import { limitExceeded, type MeasuredLimit } from '../../domain/core/request-refusals.ts';
import { toGraphQLError } from '../errors.ts';
import type { Limits } from '../limits.ts';

/** The size of a selection set. A fragment counts each time it is spread. */
interface Measures {
  depth: number;
  /** Those of this level alone. Of an operation these are its root fields. */
  fields: number;
  aliases: number;
  directives: number;
}

const NOTHING: Measures = { depth: 0, fields: 0, aliases: 0, directives: 0 };

/**
 * A validation rule that refuses operations larger than `limits` (depth, aliases, root fields,
 * directives).
 *
 * Each fragment is measured once and added where it is spread. A document whose fragments double at
 * each level (2^n fields in n lines) costs n steps. Cycles count as nothing: another rule refuses
 * them. No library does this: each visits the document once per limit, and expands fragments anew
 * at every spread.
 */
export function limitMeasures(limits: Limits): (context: ValidationContext) => ASTVisitor {
  return (context) => {
    const known = new Map<string, Measures>();
    return {
      OperationDefinition(operation) {
        const { depth, aliases, fields, directives } = measureOperation(operation, (name) => context.getFragment(name), known);
        const measured: Readonly<Record<MeasuredLimit, number>> = { depth, aliases, rootFields: fields, directives };
        for (const limit of ['depth', 'aliases', 'rootFields', 'directives'] as const) {
          const [allowed, asked] = [limits[limit], measured[limit]];
          if (asked > allowed) context.reportError(toGraphQLError(limitExceeded.measure(limit, allowed, asked), operation));
        }
        return false;
      },
    };
  };
}

type FindFragment = (name: string) => FragmentDefinitionNode | null | undefined;

function measureOperation(operation: OperationDefinitionNode, find: FindFragment, known: Map<string, Measures>): Measures {
  const own = operation.directives?.length ?? 0;
  const inside = measureSelections(operation.selectionSet, find, known);
  return { ...inside, directives: inside.directives + own };
}

function measureSelections(selections: SelectionSetNode, find: FindFragment, known: Map<string, Measures>): Measures {
  const sum = { ...NOTHING };
  for (const selection of selections.selections) {
    sum.directives += selection.directives?.length ?? 0;
    if (selection.kind === Kind.FIELD) {
      sum.fields += 1;
      if (selection.alias) sum.aliases += 1;
      const isIntrospection = selection.name.value.startsWith('__');
      const inside = selection.selectionSet ? measureSelections(selection.selectionSet, find, known) : NOTHING;
      sum.aliases += inside.aliases;
      sum.directives += inside.directives;
      sum.depth = Math.max(sum.depth, isIntrospection ? 1 : 1 + inside.depth);
    } else {
      const inside =
        selection.kind === Kind.INLINE_FRAGMENT
          ? measureSelections(selection.selectionSet, find, known)
          : measureFragment(selection.name.value, find, known);
      sum.fields += inside.fields;
      sum.aliases += inside.aliases;
      sum.directives += inside.directives;
      sum.depth = Math.max(sum.depth, inside.depth);
    }
  }
  return sum;
}

function measureFragment(name: string, find: FindFragment, known: Map<string, Measures>): Measures {
  const before = known.get(name);
  if (before) return before;
  known.set(name, NOTHING);
  const fragment = find(name);
  if (!fragment) return NOTHING;
  const measures = measureSelections(fragment.selectionSet, find, known);
  known.set(name, measures);
  return measures;
}
