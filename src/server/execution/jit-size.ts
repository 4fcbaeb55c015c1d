import {
  type FragmentDefinitionNode,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import type { Operation } from '../documents/documents.ts';

/**
 * The number of fields that graphql-jit would generate code for, counted up to `atMost`. It
 * generates the fields of an interface or a union once for each possible type, so a few nested ones
 * in a short document (events of jobs of events …) multiply: 118 characters made 1 MB of code, and
 * aliases double that at will.
 */
export function countCompiledFields(schema: GraphQLSchema, { document, node }: Operation, atMost: number): number {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  let fields = 0;
  const count = (selections: SelectionSetNode, type: GraphQLNamedType): void => {
    if (isAbstractType(type)) {
      for (const possible of schema.getPossibleTypes(type)) count(selections, possible);
      return;
    }
    for (const selection of selections.selections) {
      if (fields > atMost) return;
      if (selection.kind === Kind.FIELD) {
        fields += 1;
        const field = isObjectType(type) ? type.getFields()[selection.name.value] : undefined;
        if (field && selection.selectionSet) count(selection.selectionSet, getNamedType(field.type));
        continue;
      }
      fields += 1; // so that spreads of empty fragments are bounded as well
      const inner = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value);
      if (inner && fragmentApplies(schema, inner.typeCondition?.name.value, type)) count(inner.selectionSet, type);
    }
  };
  const root = schema.getRootType(node.operation);
  if (root) count(node.selectionSet, root);
  return fields;
}

/** Whether a fragment with this type condition, or none, applies to objects of this type. */
export function fragmentApplies(schema: GraphQLSchema, condition: string | undefined, type: GraphQLNamedType): boolean {
  if (condition === undefined || condition === type.name) return true;
  const wanted = schema.getType(condition);
  if (!isObjectType(type) || !wanted) return false;
  return isAbstractType(wanted) && schema.isSubType(wanted, type);
}
