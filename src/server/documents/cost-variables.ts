/**
 * The variables that the cost of an operation depends on: those of sizes (`first: $n`), of filters,
 * and of @skip and @include.
 */
import { type ArgumentNode, type FieldNode, Kind, type SelectionNode, type ValueNode, visit } from 'graphql';
import { type Size, type SizeArgument, sizeArguments } from '../../schema/core/sizes.ts';
import type { Operation } from './documents.ts';

/**
 * A number, a boolean, the number of entries of a list, or the names of the fields of an object.
 * Undefined: absent, null, or of a type that execution refuses.
 */
type Value = number | boolean | string | undefined;
export type Values = ReadonlyMap<string, Value>;

const FILTER = 'filter';
const costArguments: readonly string[] = [...sizeArguments, FILTER];

/** The names of the variables that the cost depends on, each with its default. */
export function findCostVariables({ document, node }: Pick<Operation, 'document' | 'node'>): Values {
  const used = new Set<string>();
  const use = ({ value }: ArgumentNode) => {
    if (value.kind === Kind.VARIABLE) used.add(value.name.value);
  };
  visit(document, {
    Field: (field) => field.arguments?.filter(({ name }) => costArguments.includes(name.value)).forEach(use),
    Directive: (directive) => directive.arguments?.forEach(use),
  });
  const definitions = (node.variableDefinitions ?? []).filter(({ variable }) => used.has(variable.name.value));
  return new Map(definitions.map(({ variable, defaultValue }) => [variable.name.value, defaultValue && read(defaultValue, new Map())]));
}

/** The values of those variables in one request. `key` is the same if all values are the same. */
export function readCostVariables(
  defaults: Values,
  variables: Readonly<Record<string, unknown>> | undefined,
): { values: Values; key: string } {
  const values = new Map<string, Value>();
  let key = '';
  for (const [name, byDefault] of defaults) {
    const given = variables?.[name];
    const value = given === undefined ? byDefault : readValue(given);
    values.set(name, value);
    key += `${value} `;
  }
  return { values, key };
}

function readValue(given: unknown): Value {
  if (typeof given === 'boolean' || Number.isInteger(given)) return given as boolean | number; // as just checked
  if (Array.isArray(given)) return given.length;
  if (given === null || typeof given !== 'object') return undefined;
  return namesOf(Object.entries(given).flatMap(([name, value]) => (value == null ? [] : name)));
}

/** More names than any filter has, and longer ones, are not kept: execution refuses them. */
const MOST_NAMES = 64;
const namesOf = (names: readonly string[]): string =>
  names
    .filter((name) => name.length <= MOST_NAMES)
    .slice(0, MOST_NAMES)
    .toSorted()
    .join(' ');

/** The names of the conditions in the filter of a field. */
export function readConditions(field: FieldNode, values: Values): string[] {
  const argument = field.arguments?.find(({ name }) => name.value === FILTER);
  const names = argument && read(argument.value, values);
  return typeof names === 'string' ? names.split(' ') : [];
}

const lists: ReadonlySet<SizeArgument> = new Set(['ids', 'names', 'jobIds']);

/** The size that a field asks for: the value of its size argument, or the usual size. */
export function readSize({ by, usually }: Size, field: FieldNode, values: Values): number {
  for (const name of by) {
    const argument = field.arguments?.find((each) => each.name.value === name);
    const value = argument && read(argument.value, values);
    if (typeof value === 'number') return value;
    // GraphQL coerces a single id or name to a list of one.
    if (lists.has(name) && argument && argument.value.kind !== Kind.NULL) return 1;
  }
  return usually;
}

/** Whether @skip and @include keep this selection. */
export function isIncluded({ directives }: SelectionNode, values: Values): boolean {
  if (!directives || directives.length === 0) return true;
  return directives.every((directive) => {
    const [condition] = directive.arguments ?? [];
    const value = condition && read(condition.value, values);
    return directive.name.value === 'skip' ? value !== true : directive.name.value === 'include' ? value !== false : true;
  });
}

function read(node: ValueNode, values: Values): Value {
  if (node.kind === Kind.VARIABLE) return values.get(node.name.value);
  if (node.kind === Kind.INT) return Number(node.value);
  if (node.kind === Kind.BOOLEAN) return node.value;
  if (node.kind === Kind.OBJECT) return namesOf(node.fields.flatMap(({ name, value }) => (value.kind === Kind.NULL ? [] : name.value)));
  return node.kind === Kind.LIST ? node.values.length : undefined;
}
