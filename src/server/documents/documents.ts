import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  Lexer,
  type OperationDefinitionNode,
  parse,
  type SelectionSetNode,
  SingleFieldSubscriptionsRule,
  Source,
  specifiedRules,
  TokenKind,
  validate,
} from 'graphql';
import { badRequest, limitExceeded } from '../../domain/core/request-refusals.ts';
import { toGraphQLError } from '../errors.ts';
import type { Cost } from '../execution/cost.ts';
import type { Limits } from '../limits.ts';
import { findCostVariables, type Values } from './cost-variables.ts';
import { limitMeasures } from './measures.ts';
import { SizedCache } from './sized-cache.ts';
import { oneSubscriptionField } from './subscription-root.ts';

/** One operation of a valid document. */
export interface Operation {
  readonly document: DocumentNode;
  readonly node: OperationDefinitionNode;
  /** The document as it was sent. Two requests are the same if their texts are. */
  readonly text: string;
  /** The variables that its cost depends on. */
  readonly costVariables: Values;
  /** Its costs, by the values of those variables. */
  readonly costs: Map<string, Cost>;
  /**
   * Its root field, such as `job` or `createJob`; `several` if it has more than one. Metrics count
   * by it, because clients choose the operation's name.
   */
  readonly field: string;
  /** The number of its executions. */
  runs: number;
}

/** Enough for some thousand typical operations. */
const MAX_BYTES = 32_000_000;
/** A parsed document has 90 to 130 bytes per character: measured with long and dense documents. */
const BYTES_PER_CHARACTER = 150;
/** What an operation of any length takes, with its remembered costs. */
const BYTES_PER_OPERATION = 16_384;

/**
 * Pairs of fields with one name. Validation compares every pair in a selection set, at about a
 * microsecond a pair: this many take some 10 ms. The `id` of a hundred objects makes 4,950.
 */
const MAX_COMPARISONS = 20_000;

/** Parses and validates documents. An LRU cache keeps the valid ones by their text. */
export class Documents {
  readonly #schema: GraphQLSchema;
  readonly #limits: Limits;
  readonly #rules: Parameters<typeof validate>[2];
  readonly #known = new SizedCache<string, readonly Operation[]>(MAX_BYTES);

  constructor(schema: GraphQLSchema, limits: Limits) {
    this.#schema = schema;
    this.#limits = limits;
    const specified = specifiedRules.filter((rule) => rule !== SingleFieldSubscriptionsRule);
    this.#rules = [...specified, oneSubscriptionField, limitMeasures(limits)];
  }

  /**
   * The operation to execute, or the errors to answer with: syntax, validation, limits, an
   * operation name that is missing or unknown. Invalid documents are not cached, so that they
   * cannot displace valid ones.
   */
  find(text: string, operationName: string | null | undefined): Operation | readonly GraphQLError[] {
    const operations = this.#operations(text);
    if (areErrors(operations)) return operations;
    const [first] = operations;
    if (operationName == null || operationName === '') {
      if (first && operations.length === 1) return first;
      return [toGraphQLError(first ? badRequest.severalOperations() : badRequest.noOperation())];
    }
    const named = operations.find((operation) => operation.node.name?.value === operationName);
    return named ?? [toGraphQLError(badRequest.noOperationNamed(operationName))];
  }

  /** Why a document cannot be executed. Empty if it can. */
  check(text: string): readonly GraphQLError[] {
    const operations = this.#operations(text);
    return areErrors(operations) ? operations : [];
  }

  #operations(text: string): readonly Operation[] | readonly GraphQLError[] {
    const known = this.#known.get(text);
    if (known) return known;
    const document = this.#parse(text);
    if (Array.isArray(document)) return document;
    const comparisons = countComparisons(document);
    if (comparisons > MAX_COMPARISONS) {
      const tooLarge = validate(this.#schema, document, [limitMeasures(this.#limits)]);
      return [...tooLarge, toGraphQLError(limitExceeded.comparisons(MAX_COMPARISONS, comparisons))];
    }
    const errors = validate(this.#schema, document, this.#rules, { maxErrors: 20 });
    if (errors.length > 0) return errors;
    const operations = document.definitions.flatMap((node) =>
      node.kind === Kind.OPERATION_DEFINITION
        ? [
            {
              ...{ document, node, text, field: rootFieldOf(document, node) },
              ...{ costVariables: findCostVariables({ document, node }), costs: new Map(), runs: 0 },
            },
          ]
        : [],
    );
    this.#known.set(text, operations, text.length * BYTES_PER_CHARACTER + operations.length * BYTES_PER_OPERATION);
    return operations;
  }

  #parse(text: string): DocumentNode | GraphQLError[] {
    const { documentBytes, tokens } = this.#limits;
    // Only the bytes of a text near the limit are counted: a UTF-16 unit makes at most three.
    if (text.length > documentBytes || (text.length * 3 > documentBytes && Buffer.byteLength(text) > documentBytes)) {
      return [toGraphQLError(limitExceeded.document(documentBytes, Buffer.byteLength(text)))];
    }
    try {
      return parse(text, { maxTokens: tokens });
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error;
      if (error.message.includes('Document contains more that') || error.message.includes('Document contains more than')) {
        return [toGraphQLError(limitExceeded.tokens(tokens, countTokens(text)))];
      }
      return [error];
    }
  }
}

/**
 * The number of pairs of fields with one name in an answer. It is at least the number of pairs that
 * validation compares. Operations are not compared with each other.
 */
function countComparisons({ definitions }: DocumentNode): number {
  const setsOf = (kind: Kind) => definitions.flatMap((node) => (node.kind === kind && 'selectionSet' in node ? [node.selectionSet] : []));
  const ofFragments = setsOf(Kind.FRAGMENT_DEFINITION);
  return setsOf(Kind.OPERATION_DEFINITION).reduce((sum, set) => sum + countPairs([set, ...ofFragments]), 0);
}

function countPairs(left: SelectionSetNode[]): number {
  const counts = new Map<string, number>();
  let pairs = 0;
  for (let set = left.pop(); set; set = left.pop()) {
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        const name = selection.alias?.value ?? selection.name.value;
        const before = counts.get(name) ?? 0;
        pairs += before;
        counts.set(name, before + 1);
      }
      if (selection.kind !== Kind.FRAGMENT_SPREAD && selection.selectionSet) left.push(selection.selectionSet);
    }
  }
  return pairs;
}

/**
 * The number of tokens up to the end of the text or the first syntax error. It is counted only for
 * refusals, and takes linear time.
 */
function countTokens(text: string): number {
  const lexer = new Lexer(new Source(text));
  let count = 0;
  try {
    while (lexer.advance().kind !== TokenKind.EOF) count += 1;
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
  }
  return count;
}

function areErrors(found: readonly Operation[] | readonly GraphQLError[]): found is readonly GraphQLError[] {
  return found[0] instanceof GraphQLError;
}

function rootFieldOf(document: DocumentNode, operation: OperationDefinitionNode): string {
  const names = new Set<string>();
  const seen = new Set<string>();
  const collect = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) names.add(selection.name.value);
      else if (selection.kind === Kind.INLINE_FRAGMENT) collect(selection.selectionSet);
      else if (!seen.has(selection.name.value)) {
        const { value } = selection.name;
        seen.add(value);
        for (const node of document.definitions)
          if (node.kind === Kind.FRAGMENT_DEFINITION && node.name.value === value) collect(node.selectionSet);
      }
    }
  };
  collect(operation.selectionSet);
  const [first = 'none', ...others] = names;
  return others.length > 0 ? 'several' : first;
}
