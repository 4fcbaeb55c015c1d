import {
  type ASTVisitor,
  type FieldNode,
  GraphQLError,
  Kind,
  OperationTypeNode,
  type SelectionNode,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';

/**
 * A validation rule: a subscription selects one field, whatever its variables are. It replaces
 * graphql-js's SingleFieldSubscriptionsRule, which evaluates @skip and @include without variables:
 * for `@include(if: $b)` it throws instead of reporting an error. As in the GraphQL specification
 * since 2025, the field may have no condition, because a subscription without fields is impossible.
 * The messages are graphql-js's.
 */
export function oneSubscriptionField(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition(operation) {
      if (operation.operation !== OperationTypeNode.SUBSCRIPTION) return false;
      const fields: FieldNode[] = [];
      const conditions: SelectionNode[] = [];
      collect(operation.selectionSet, context, { fields, conditions, seen: new Set() });
      const subject = operation.name ? `Subscription "${operation.name.value}"` : 'Anonymous Subscription';
      const report = (text: string, nodes: readonly SelectionNode[]) =>
        context.reportError(new GraphQLError(`${subject} ${text}`, { nodes }));
      if (conditions.length > 0) report('must select its top level field without @skip and @include.', conditions);
      const names = new Set(fields.map(({ alias, name }) => (alias ?? name).value));
      if (names.size > 1) report('must select only one top level field.', fields.slice(1));
      const introspection = fields.filter(({ name }) => name.value.startsWith('__'));
      if (introspection.length > 0) report('must not select an introspection top level field.', introspection);
      return false;
    },
  };
}

interface Found {
  readonly fields: FieldNode[];
  readonly conditions: SelectionNode[];
  readonly seen: Set<string>;
}

function collect({ selections }: Pick<SelectionSetNode, 'selections'>, context: ValidationContext, found: Found): void {
  for (const selection of selections) {
    if (selection.directives?.some(({ name }) => name.value === 'skip' || name.value === 'include')) found.conditions.push(selection);
    if (selection.kind === Kind.FIELD) found.fields.push(selection);
    else if (selection.kind === Kind.INLINE_FRAGMENT) collect(selection.selectionSet, context, found);
    else if (!found.seen.has(selection.name.value)) {
      found.seen.add(selection.name.value);
      const fragment = context.getFragment(selection.name.value);
      if (fragment) collect(fragment.selectionSet, context, found);
    }
  }
}
