/**
 * Whether a schema offers all that a contract promises. It may add types and fields, and answer
 * with a narrower type; it may not drop, rename or loosen.
 *
 * Both are compared as documents, not as built schemas: the contract does not define Relay's
 * connections.
 */
import {
  type ConstDirectiveNode,
  type DocumentNode,
  type FieldDefinitionNode,
  type InputValueDefinitionNode,
  Kind,
  print,
  type TypeDefinitionNode,
  type TypeNode,
} from 'graphql';

/**
 * A missing or different part, at a schema coordinate of the contract: `Job.items`,
 * `Query.jobs(first:)`.
 */
export interface Breach {
  readonly coordinate: string;
  readonly problem: string;
  /** The named types that it concerns: its owner, and the type of its field or argument. */
  readonly types: readonly string[];
}

export function compare(contract: DocumentNode, product: DocumentNode): Breach[] {
  const offered = new Map(definitionsOf(product).map((type) => [type.name.value, type]));
  const breaches = definitionsOf(contract).flatMap((promised) => compareType(promised, offered.get(promised.name.value)));
  return [...breaches, ...missingConnections(contract, offered)];
}

function definitionsOf(document: DocumentNode): TypeDefinitionNode[] {
  return document.definitions.filter((node): node is TypeDefinitionNode => node.kind.endsWith('TypeDefinition'));
}

function compareType(promised: TypeDefinitionNode, offered: TypeDefinitionNode | undefined): Breach[] {
  const name = promised.name.value;
  const breach = (coordinate: string, problem: string, ...types: string[]): Breach => ({ coordinate, problem, types: [name, ...types] });
  if (!offered) return [breach(name, 'is missing')];
  if (promised.kind !== offered.kind) return [breach(name, `is ${offered.kind} in place of ${promised.kind}`)];

  const breaches: Breach[] = [];
  if (promised.kind === Kind.ENUM_TYPE_DEFINITION && offered.kind === promised.kind) {
    breaches.push(...missingNames(promised.values, offered.values).map((value) => breach(`${name}.${value}`, 'is missing')));
  }
  if (promised.kind === Kind.UNION_TYPE_DEFINITION && offered.kind === promised.kind) {
    breaches.push(...missingNames(promised.types, offered.types).map((member) => breach(name, `has no member ${member}`, member)));
  }
  if ('interfaces' in promised && 'interfaces' in offered) {
    breaches.push(...missingNames(promised.interfaces, offered.interfaces).map((face) => breach(name, `does not implement ${face}`, face)));
  }
  if (promised.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION && offered.kind === promised.kind) {
    breaches.push(...compareInputs(promised.fields, offered.fields, (field) => `${name}.${field}`, name));
    if (isOneOf(promised.directives) && !isOneOf(offered.directives)) breaches.push(breach(name, 'is not @oneOf'));
  }
  if (
    (promised.kind === Kind.OBJECT_TYPE_DEFINITION || promised.kind === Kind.INTERFACE_TYPE_DEFINITION) &&
    (offered.kind === Kind.OBJECT_TYPE_DEFINITION || offered.kind === Kind.INTERFACE_TYPE_DEFINITION)
  ) {
    for (const field of promised.fields ?? []) breaches.push(...compareField(name, field, find(offered.fields, field)));
  }
  return breaches;
}

function compareField(owner: string, promised: FieldDefinitionNode, offered: FieldDefinitionNode | undefined): Breach[] {
  const coordinate = `${owner}.${promised.name.value}`;
  const types = [owner, namedType(promised.type)];
  if (!offered) return [{ coordinate, problem: 'is missing', types }];
  const breaches = compareInputs(promised.arguments, offered.arguments, (name) => `${coordinate}(${name}:)`, owner);
  if (!isAtLeast(offered.type, promised.type)) {
    breaches.push({ coordinate, problem: `is ${print(offered.type)} in place of ${print(promised.type)}`, types });
  }
  return breaches;
}

type Inputs = readonly InputValueDefinitionNode[] | undefined;

/** Arguments or input fields: all that was accepted still is, and nothing new is required. */
function compareInputs(promised: Inputs, offered: Inputs, coordinateOf: (name: string) => string, owner: string): Breach[] {
  const breaches: Breach[] = [];
  const breach = (input: InputValueDefinitionNode, problem: string) =>
    breaches.push({ coordinate: coordinateOf(input.name.value), problem, types: [owner, namedType(input.type)] });
  for (const input of promised ?? []) {
    const found = find(offered, input);
    if (!found) {
      breach(input, 'is missing');
      continue;
    }
    // The reverse of an answer: an argument may accept more.
    if (!isAtLeast(input.type, found.type)) breach(input, `is ${print(found.type)} in place of ${print(input.type)}`);
    if (defaultOf(input) !== defaultOf(found)) breach(input, `defaults to ${defaultOf(found)} in place of ${defaultOf(input)}`);
  }
  for (const input of offered ?? []) {
    const isRequired = input.type.kind === Kind.NON_NULL_TYPE && !input.defaultValue;
    if (isRequired && !find(promised, input)) breach(input, 'is required, but is not in the contract');
  }
  return breaches;
}

/**
 * The contract names Relay's connections without defining them. Each needs edges with node and
 * cursor, and a pageInfo.
 */
function missingConnections(contract: DocumentNode, offered: ReadonlyMap<string, TypeDefinitionNode>): Breach[] {
  const named = new Set(print(contract).match(/\b[A-Z]\w*Connection\b/g));
  const has = (type: string, ...fields: string[]) => {
    const definition = offered.get(type);
    return (
      definition?.kind === Kind.OBJECT_TYPE_DEFINITION &&
      fields.every((field) => definition.fields?.some(({ name }) => name.value === field))
    );
  };
  return [...named]
    .filter((type) => !has(type, 'edges', 'pageInfo') || !has(type.replace(/Connection$/, 'Edge'), 'node', 'cursor'))
    .map((type) => ({ coordinate: type, problem: 'is not a connection', types: [type.replace(/Connection$/, '')] }));
}

interface Named {
  readonly name: { readonly value: string };
}
const find = <T extends Named>(list: readonly T[] | undefined, { name }: Named): T | undefined =>
  list?.find((one) => one.name.value === name.value);
const missingNames = (promised: readonly Named[] | undefined, offered: readonly Named[] | undefined): string[] =>
  (promised ?? []).filter((one) => !find(offered, one)).map((one) => one.name.value);

function namedType(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedType(type.type);
}

/**
 * Whether every value of `type` is a value of `least`: the same type, possibly stricter about null.
 */
function isAtLeast(type: TypeNode, least: TypeNode): boolean {
  if (least.kind === Kind.NON_NULL_TYPE) return type.kind === Kind.NON_NULL_TYPE && isAtLeast(type.type, least.type);
  if (type.kind === Kind.NON_NULL_TYPE) return isAtLeast(type.type, least);
  if (type.kind === Kind.LIST_TYPE) return least.kind === Kind.LIST_TYPE && isAtLeast(type.type, least.type);
  return least.kind === Kind.NAMED_TYPE && type.name.value === least.name.value;
}

const defaultOf = ({ defaultValue }: InputValueDefinitionNode): string => (defaultValue ? print(defaultValue) : 'nothing');
const isOneOf = (directives: readonly ConstDirectiveNode[] | undefined): boolean =>
  (directives ?? []).some((directive) => directive.name.value === 'oneOf');
