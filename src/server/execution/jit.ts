import {
  type ASTNode,
  type DocumentNode,
  type ExecutionResult,
  execute,
  GraphQLID,
  GraphQLScalarType,
  type GraphQLSchema,
  GraphQLString,
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
import { VariableReader } from './variables.ts';

/** Compiling costs about what this many compiled runs save. */
export const RUNS_BEFORE = 8;
/** Compiling this many takes about 10 ms. Typical operations have a tenth. */
const MAX_FIELDS = 500;
/** The share of the event loop's time that compiling may take. */
const MOST_OF_TIME = 1 / 20;
/** Enough for some thousand typical operations. */
const MAX_BYTES = 32_000_000;
/** The code, and what V8 compiles it to. */
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
  /**
   * Variables inside an object or a list, as in `{ name: $name }`. For an absent variable
   * graphql-jit sets the field to null; graphql-js omits the field.
   */
  readonly nested: readonly string[];
  /**
   * Its variables, if all are ids or strings. Those are used as they are where they are strings:
   * reading them takes 2 % of the processor time of a request that reads one job.
   */
  readonly texts: readonly string[] | null;
}

/**
 * Executes operations: the first runs with graphql-js, later ones compiled by graphql-jit.
 *
 * Compiled code answers a list 2 to 3 times faster, but compiling blocks the event loop for about
 * 20 µs a field, and most documents that people type or programs generate run only a few times. So
 * an operation is compiled only if it has run `RUNS_BEFORE` times, has at most `MAX_FIELDS` fields,
 * and compiling has not used up its share of the event loop. A client that keeps sending new
 * documents gets a twentieth of the event loop for compiling, and no more.
 *
 * For a field without a resolver, graphql-jit reads the property of its name and calls nothing.
 * Such a property must be a value, not a function or a promise.
 *
 * Both engines give the same answers: graphql-js reads the variables (see `withoutCoercion`), and
 * it executes every operation that graphql-jit cannot compile. The operation of a subscription is
 * executed once for each event, with the event as `rootValue`.
 */
export class Jit {
  readonly #schema: GraphQLSchema;
  readonly #variables: VariableReader;
  readonly #now: () => number;
  /** Null: the operation cannot be compiled, or is too large. */
  readonly #compiled = new SizedCache<Operation, Compiled | null>(MAX_BYTES);
  /** Nothing is compiled before this time, because compiling has used up its share. */
  #pausedUntil = 0;

  constructor(schema: GraphQLSchema, now: () => number = () => performance.now()) {
    this.#schema = schema;
    this.#variables = new VariableReader(schema);
    this.#now = now;
  }

  execute(operation: Operation, run: Run): Promise<ExecutionResult> | ExecutionResult {
    const compiled = this.#find(operation);
    if (!compiled) return interpret(this.#schema, operation, run);
    const definitions = operation.node.variableDefinitions;
    if (!definitions || definitions.length === 0) return compiled.query(run.rootValue, run.context, {});
    const { variables = {} } = run;
    if (compiled.texts?.every((name) => typeof variables[name] === 'string')) return compiled.query(run.rootValue, run.context, variables);
    const { coerced, errors } = this.#variables.read(definitions, variables);
    if (!coerced) return { errors };
    if (compiled.nested.some((name) => !(name in coerced))) return interpret(this.#schema, operation, run);
    return compiled.query(run.rootValue, run.context, coerced);
  }

  /** Whether this operation is compiled by now. */
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
    if (!isCompiledQuery(compiled)) return null;
    return { query: compiled.query, nested: findNestedVariables(operation.document), texts: findTexts(schema, operation) };
  } catch {
    return null;
  }
}

function findTexts(schema: GraphQLSchema, { node: { variableDefinitions = [] } }: Operation): string[] | null {
  const isText = ({ type }: VariableDefinitionNode) => {
    const inner = type.kind === Kind.NON_NULL_TYPE ? type.type : type;
    const named = inner.kind === Kind.NAMED_TYPE ? schema.getType(inner.name.value) : undefined;
    return named === GraphQLID || named === GraphQLString;
  };
  return variableDefinitions.every(isText) ? variableDefinitions.map(({ variable }) => variable.name.value) : null;
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

/** The schema with an additional scalar that accepts any value as it is. */
function withRawType(schema: GraphQLSchema): GraphQLSchema {
  const withRaw: GraphQLSchema = Object.create(schema);
  withRaw.getType = (name) => (name === RAW.name ? RAW : schema.getType(name));
  return withRaw;
}

/**
 * The document with its variables declared as "any value". graphql-js has already read them.
 * graphql-jit's code for input types does not check @oneOf, words errors differently, doubles with
 * every list inside a list, and never ends for an input type that contains itself (seen: 4 GB, then
 * the process died). Built-in scalars keep their type: reading them twice changes nothing, and
 * @include and @skip need Boolean.
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
