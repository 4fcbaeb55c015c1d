/**
 * The cost of an operation: how many nodes its answer may have. It is calculated before execution,
 * from the document, the variables and the sizes of lists in the schema (schema/core/sizes.ts).
 *
 *     an object with an id              1
 *     each entry of a list              1, whether under `nodes`, `edges` or both
 *     a page of a list                  1, plus the cost of an entry, `first` times
 *     a list of curves                  1, plus the cost of its points, for each name or job
 *     a text of a file, a log's tail    1 for each 8 KB of `maxBytes`, for each hundred `lines`
 *     a search of a log                 1,024 more, for the 8 MiB that it may read
 *     a condition that no index serves  100: search, hasMetric, labelFilters
 *     a mutation                        1
 *     __schema, __type                  1,000 and 100
 *     everything else                   0, plus the cost of what it contains
 *
 * "Everything else" is other scalars, payloads, frames and objects without an id. An interface or a
 * union costs as much as its most expensive type. Fields that are selected twice under one name
 * count once, as they are executed once. @skip and @include are followed. A subscription costs what
 * one of its frames does.
 *
 * Some sizes are known only after reading. schema/core/response-budget.ts counts those.
 */
import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLError,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import { limitExceeded } from '../../domain/core/request-refusals.ts';
import type { Size } from '../../schema/core/sizes.ts';
import type { Params } from '../context.ts';
import { isIncluded, readConditions, readCostVariables, readSize, type Values } from '../documents/cost-variables.ts';
import type { Operation } from '../documents/documents.ts';
import { toGraphQLError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { fragmentApplies } from './jit-size.ts';

/** The cost of an operation with certain variables. */
export interface Cost {
  readonly nodes: number;
  /** Why the operation is refused: it costs too much, or asks for a page that is too large. */
  readonly refusal: GraphQLError | null;
}

/** The assumed size of a list without a size in the schema. */
const UNKNOWN_SIZE = 10;
const INTROSPECTION: Readonly<Record<string, number>> = { __schema: 1_000, __type: 100 };

/**
 * An operation that makes the calculation visit more selections is refused. Each selection set is
 * priced once for each type, so only documents made for it reach this number (some 20 ms).
 */
const MOST_SELECTIONS = 50_000;
/** Costs remembered for one operation. One with a refusal takes about a kilobyte. */
const MOST_COSTS = 12;
class TooIntricate extends Error {}

/** The cost of the operation with these variables, calculated once for each set of values. */
export function priceOperation(schema: GraphQLSchema, operation: Operation, variables: Params['variables'], limits: Limits): Cost {
  const { values, key } = readCostVariables(operation.costVariables, variables);
  const known = operation.costs.get(key);
  if (known) return known;
  if (operation.costs.size >= MOST_COSTS) operation.costs.clear();
  const cost = calculate(schema, operation, values, limits);
  operation.costs.set(key, cost);
  return cost;
}

function calculate(schema: GraphQLSchema, operation: Operation, values: Values, limits: Limits): Cost {
  const root = schema.getRootType(operation.node.operation);
  if (!root) return { nodes: 0, refusal: null };
  const price = new Price(schema, operation, values, limits);
  try {
    const nodes = Math.ceil(
      price.ofObject(root, [operation.node.selectionSet], operation.node.operation === 'mutation' ? 'mutation' : 'object'),
    );
    return { nodes, refusal: price.refusal ?? (nodes > limits.cost ? toGraphQLError(limitExceeded.cost(limits.cost, nodes)) : null) };
  } catch (error) {
    if (!(error instanceof TooIntricate)) throw error;
    return { nodes: limits.cost, refusal: toGraphQLError(limitExceeded.cost(limits.cost, null)) };
  }
}

/** What a selection set belongs to. A number: a page of this size. */
type Around = 'object' | 'mutation' | 'edge' | number;

class Price {
  readonly #schema: GraphQLSchema;
  readonly #values: Values;
  readonly #limits: Limits;
  readonly #fragments = new Map<string, FragmentDefinitionNode>();
  readonly #known = new Map<string, number>();
  readonly #numbers = new Map<SelectionSetNode, number>();
  #selections = 0;
  refusal: GraphQLError | null = null;

  constructor(schema: GraphQLSchema, { document }: Operation, values: Values, limits: Limits) {
    this.#schema = schema;
    this.#values = values;
    this.#limits = limits;
    for (const definition of document.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) this.#fragments.set(definition.name.value, definition);
    }
  }

  /** The cost of what one object of this type contains, without the object itself. */
  ofObject(type: GraphQLObjectType, sets: readonly SelectionSetNode[], around: Around): number {
    const key = `${type.name} ${around} ${sets.map((set) => this.#numberOf(set)).join()}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const fields = new Map<string, FieldNode[]>();
    this.#collect(type, sets, fields, new Set());
    let own = 0;
    let entry = 0;
    for (const [first, ...others] of fields.values()) {
      if (!first) continue;
      const name = first.name.value;
      const field = type.getFields()[name];
      if (!field) {
        own += INTROSPECTION[name] ?? 0;
        continue;
      }
      const named = getNamedType(field.type);
      if (around === 'mutation') own += 1;
      own += this.#ofConditions(field, first);
      const size = field.extensions.size as Size | undefined; // as schema/core/sizes.ts put it there
      if (!isCompositeType(named)) {
        if (size) own += this.#sizeOf(size, first);
        continue;
      }
      const inside = [first, ...others].flatMap(({ selectionSet }) => selectionSet ?? []);
      if (!isList(field)) own += this.#ofOne(named, inside, first, field, around);
      else if (typeof around === 'number' && !size)
        entry = Math.max(entry, 1) + this.#highest(named, inside, named.name.endsWith('Edge') ? 'edge' : 'object');
      else {
        const entries = size ? this.#sizeOf(size, first) : UNKNOWN_SIZE;
        own += entries * (1 + this.#highest(named, inside, size?.each ? this.#sizeOf(size.each, first) : 'object'));
      }
    }
    const cost = typeof around === 'number' ? own + around * entry : own;
    this.#known.set(key, cost);
    return cost;
  }

  /** A field that answers one object: a page, or an object with or without an id. */
  #ofOne(
    type: GraphQLCompositeType,
    sets: readonly SelectionSetNode[],
    node: FieldNode,
    field: GraphQLField<unknown, unknown>,
    around: Around,
  ): number {
    const size = field.extensions.size as Size | undefined; // as above
    if (size) return 1 + (size.besides ?? 0) + this.#highest(type, sets, this.#sizeOf(size, node));
    const isCounted = this.#hasId(type) && !(around === 'edge' && field.name === 'node');
    return (isCounted ? 1 : 0) + this.#highest(type, sets, 'object');
  }

  /** Conditions of a filter that many rows may have to be read for. */
  #ofConditions({ args }: GraphQLField<unknown, unknown>, node: FieldNode): number {
    const type = getNamedType(args.find(({ name }) => name === 'filter')?.type);
    if (!isInputObjectType(type)) return 0;
    const costs = readConditions(node, this.#values).map((name) => Number(type.getFields()[name]?.extensions.cost ?? 0));
    return costs.reduce((sum, cost) => sum + cost, 0);
  }

  #highest(type: GraphQLCompositeType, sets: readonly SelectionSetNode[], around: Around): number {
    if (!isAbstractType(type)) return this.ofObject(type, sets, around);
    let most = 0;
    for (const possible of this.#schema.getPossibleTypes(type)) most = Math.max(most, this.ofObject(possible, sets, around));
    return most;
  }

  #sizeOf(size: Size, node: FieldNode): number {
    const asked = readSize(size, node, this.#values);
    const allowed = size.isPage ? this.#limits.pageSize : asked;
    if (asked > allowed) this.refusal ??= toGraphQLError(limitExceeded.pageSize(node.name.value, size.by, { allowed, asked }), node);
    // Execution refuses negative numbers and fractions.
    return Math.max(0, Math.min(asked, allowed)) / size.perNode;
  }

  #collect(type: GraphQLObjectType, sets: readonly SelectionSetNode[], fields: Map<string, FieldNode[]>, visited: Set<string>): void {
    for (const { selections } of sets) {
      for (const selection of selections) {
        this.#selections += 1;
        if (this.#selections > MOST_SELECTIONS) throw new TooIntricate();
        if (!isIncluded(selection, this.#values)) continue;
        if (selection.kind === Kind.FIELD) {
          const name = selection.alias?.value ?? selection.name.value;
          const same = fields.get(name);
          if (same) same.push(selection);
          else fields.set(name, [selection]);
          continue;
        }
        if (selection.kind === Kind.FRAGMENT_SPREAD) {
          if (visited.has(selection.name.value)) continue;
          visited.add(selection.name.value);
        }
        const inner = selection.kind === Kind.INLINE_FRAGMENT ? selection : this.#fragments.get(selection.name.value);
        if (inner && fragmentApplies(this.#schema, inner.typeCondition?.name.value, type))
          this.#collect(type, [inner.selectionSet], fields, visited);
      }
    }
  }

  #hasId(type: GraphQLCompositeType): boolean {
    if (isInterfaceType(type) || isObjectType(type))
      return type.name === 'Node' || type.getInterfaces().some(({ name }) => name === 'Node');
    return false;
  }

  #numberOf(set: SelectionSetNode): number {
    const known = this.#numbers.get(set);
    if (known !== undefined) return known;
    this.#numbers.set(set, this.#numbers.size);
    return this.#numbers.size - 1;
  }
}

function isList({ type }: GraphQLField<unknown, unknown>): boolean {
  return isListType(isNonNullType(type) ? type.ofType : type);
}
