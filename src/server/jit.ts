import {
  type ASTNode,
  type DocumentNode,
  defaultFieldResolver,
  type ExecutionResult,
  execute,
  GraphQLScalarType,
  type GraphQLSchema,
  getVariableValues,
  isObjectType,
  isSpecifiedScalarType,
  Kind,
  type TypeNode,
  type VariableDefinitionNode,
  visit,
} from 'graphql';
import { compileQuery, isCompiledQuery } from 'graphql-jit';
import type { Operation } from './documents.ts';
import { isSmallCompiled } from './jit-size.ts';

/** The root value, the context and the variables of one execution. */
export interface Run {
  readonly rootValue: unknown;
  readonly context: object;
  readonly variables: { readonly [name: string]: unknown } | undefined;
}

/** An operation as graphql-jit compiled it. */
export interface Compiled {
  readonly query: (rootValue: unknown, context: object, variables: object) => Promise<ExecutionResult> | ExecutionResult;
  /** Variables inside an object or a list: `{ name: $name }`. Where one is left out, graphql-jit sets null and graphql-js leaves it out. */
  readonly nested: readonly string[];
}

/**
 * Executes an operation: by graphql-js the first time its document is seen, compiled by graphql-jit from the second time on. Compiling
 * costs some milliseconds and pays on what comes again (lists: 2 to 3 times faster); most of what is typed by hand comes once.
 *
 * The answers are graphql-js's in either case: variables are read by graphql-js (see `withoutCoercion`), and where graphql-jit cannot
 * compile an operation, graphql-js goes on executing it. A subscription's operation is executed per event, with the event as `rootValue`.
 */
export function executeOperation(schema: GraphQLSchema, operation: Operation, run: Run): Promise<ExecutionResult> | ExecutionResult {
  operation.runs += 1;
  if (operation.runs < 2) return interpret(schema, operation, run);
  if (operation.compiled === undefined) operation.compiled = compile(schema, operation);
  if (operation.compiled === null) return interpret(schema, operation, run);
  const definitions = operation.node.variableDefinitions;
  if (!definitions || definitions.length === 0) return operation.compiled.query(run.rootValue, run.context, {});
  const { coerced, errors } = getVariableValues(schema, definitions, run.variables ?? {}, { maxErrors: 50 });
  if (!coerced) return { errors };
  if (operation.compiled.nested.some((name) => !(name in coerced))) return interpret(schema, operation, run);
  return operation.compiled.query(run.rootValue, run.context, coerced);
}

/**
 * Gives every field that has no resolver graphql-js's default one. graphql-jit reads such fields as plain properties, and would answer
 * differently where the property is a function or a promise. Where a schema says `isPlain` of a field, it is neither.
 */
export function nameResolvers(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) if (!field.extensions.isPlain) field.resolve ??= defaultFieldResolver;
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
  if (!isSmallCompiled(schema, operation)) return null;
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
