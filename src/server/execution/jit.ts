import {
  type ASTNode,
  type DocumentNode,
  type ExecutionResult,
  execute,
  GraphQLScalarType,
  type GraphQLSchema,
  getVariableValues,
  isSpecifiedScalarType,
  Kind,
  type TypeNode,
  type VariableDefinitionNode,
  visit,
} from 'graphql';
import { compileQuery, isCompiledQuery } from 'graphql-jit';
import type { Operation } from '../documents/documents.ts';
import { SizedCache } from '../documents/sized-cache.ts';
import { countCompiledFields } from './jit-size.ts';

/** Compiling costs about as much as so many runs of graphql-js, less what compiled ones cost. */
export const RUNS_BEFORE = 8;
/** About 10 ms of compiling. Typical operations take a tenth of it. */
const MAX_FIELDS = 500;
/** The share of the event loop's time that compiling may take. */
const MOST_OF_TIME = 1 / 20;
/** Enough for some thousand typical operations. */
const MAX_BYTES = 32_000_000;
/** Code, and what V8 makes of it once it runs. */
const BYTES_PER_FIELD = 3_000;
const BYTES_PER_OPERATION = 4_096;

/** The root value, the context and the variables of one execution. */
export interface Run {
  readonly rootValue: unknown;
  readonly context: object;
  readonly variables: { readonly [name: string]: unknown } | undefined;
}

/** An operation as graphql-jit compiled it. */
interface Compiled {
  readonly query: (rootValue: unknown, context: object, variables: object) => Promise<ExecutionResult> | ExecutionResult;
  /** Variables inside an object or a list: `{ name: $name }`. Where one is left out, graphql-jit sets null and graphql-js leaves it out. */
  readonly nested: readonly string[];
}

/**
 * Executes operations: by graphql-js at first, compiled by graphql-jit where that has shown itself worth it. A compiled list is answered 2 to 3
 * times faster; compiling takes the event loop about 20 µs a field, and most of what is typed by hand, or made up by a program, comes a
 * few times at most. So an operation is compiled that came `RUNS_BEFORE` times, is small enough for nobody to notice, and for which there is
 * time: whoever sends ever new documents, each often enough, has a twentieth of the event loop for them to be compiled in, and no more.
 *
 * Where a field of the schema has no resolver, graphql-jit reads the property of its name and calls nothing: such a property is a value, neither a
 * function nor a promise.
 *
 * The answers are graphql-js's in either case: variables are read by graphql-js (see `withoutCoercion`), and where graphql-jit cannot
 * compile an operation, graphql-js goes on executing it. A subscription's operation is executed per event, with the event as `rootValue`.
 */
export class Jit {
  readonly #schema: GraphQLSchema;
  readonly #now: () => number;
  /** Null: it cannot be compiled or is too large. */
  readonly #compiled = new SizedCache<Operation, Compiled | null>(MAX_BYTES);
  /** The time until which compiling has used up its share. */
  #pausedUntil = 0;

  constructor(schema: GraphQLSchema, now: () => number = () => performance.now()) {
    this.#schema = schema;
    this.#now = now;
  }

  execute(operation: Operation, run: Run): Promise<ExecutionResult> | ExecutionResult {
    const compiled = this.#find(operation);
    if (!compiled) return interpret(this.#schema, operation, run);
    const definitions = operation.node.variableDefinitions;
    if (!definitions || definitions.length === 0) return compiled.query(run.rootValue, run.context, {});
    const { coerced, errors } = getVariableValues(this.#schema, definitions, run.variables ?? {}, { maxErrors: 50 });
    if (!coerced) return { errors };
    if (compiled.nested.some((name) => !(name in coerced))) return interpret(this.#schema, operation, run);
    return compiled.query(run.rootValue, run.context, coerced);
  }

  /** Whether the compiled operation is used from now on. */
  isCompiled(operation: Operation): boolean {
    return (this.#compiled.get(operation) ?? null) !== null;
  }

  #find(operation: Operation): Compiled | null {
    operation.runs += 1;
    if (operation.runs <= RUNS_BEFORE) return null;
    const known = this.#compiled.get(operation);
    if (known !== undefined) return known;
    const began = this.#now();
    if (began < this.#pausedUntil) return null;
    const fields = countCompiledFields(this.#schema, operation, MAX_FIELDS);
    const compiled = fields > MAX_FIELDS ? null : compile(this.#schema, operation);
    const ended = this.#now();
    this.#pausedUntil = ended + (ended - began) * (1 / MOST_OF_TIME - 1);
    this.#compiled.set(operation, compiled, BYTES_PER_OPERATION + (compiled ? fields * BYTES_PER_FIELD : 0));
    return compiled;
  }
}

function interpret(schema: GraphQLSchema, operation: Operation, run: Run): Promise<ExecutionResult> | ExecutionResult {
  return execute({
    schema,
    document: operation.document,
    operationName: operation.node.name?.value ?? null,
    rootValue: run.rootValue,
    contextValue: run.context,
    variableValues: run.variables ?? null,
  }) as Promise<ExecutionResult> | ExecutionResult; // graphql-js's PromiseOrValue is these two
}

function compile(schema: GraphQLSchema, operation: Operation): Compiled | null {
  try {
    const compiled = compileQuery(withRawType(schema), withoutCoercion(schema, operation), operation.node.name?.value);
    return isCompiledQuery(compiled) ? { query: compiled.query, nested: findNestedVariables(operation.document) } : null;
  } catch {
    return null;
  }
}

function findNestedVariables(document: DocumentNode): string[] {
  const names = new Set<string>();
  const collect = (value: ASTNode) => {
    visit(value, { Variable: ({ name }) => void names.add(name.value) });
    return false as const;
  };
  visit(document, { ObjectValue: collect, ListValue: collect });
  return [...names];
}

const RAW = new GraphQLScalarType({ name: '__Raw', parseValue: (value) => value });

/** The schema, and a scalar that takes any value as it is. */
function withRawType(schema: GraphQLSchema): GraphQLSchema {
  const withRaw: GraphQLSchema = Object.create(schema);
  withRaw.getType = (name) => (name === RAW.name ? RAW : schema.getType(name));
  return withRaw;
}

/**
 * The document with its variables declared as "any value": graphql-js has read them by then. graphql-jit would write code for each input
 * type that does not check @oneOf, words its errors differently, doubles with every list inside a list and never ends on an input type that
 * contains itself (seen: 4 GB, and the process gone). The built-in scalars stay what they are: reading those twice changes nothing,
 * and @include and @skip ask for Boolean.
 */
function withoutCoercion(schema: GraphQLSchema, { document, node }: Operation): DocumentNode {
  const variableDefinitions = node.variableDefinitions?.map((definition): VariableDefinitionNode => {
    const type = schema.getType(nameOf(definition.type));
    if (type && isSpecifiedScalarType(type)) return definition;
    const { defaultValue: _, ...rest } = definition;
    return { ...rest, type: { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: RAW.name } } };
  });
  if (!variableDefinitions) return document;
  return {
    ...document,
    definitions: document.definitions.map((definition) => (definition === node ? { ...node, variableDefinitions } : definition)),
  };
}

function nameOf(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : nameOf(type.type);
}
