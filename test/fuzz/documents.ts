/**
 * Documents that fit the schema: any root field, with arguments, nested fields, fragments, aliases
 * and directives. Also damaged ones.
 */
import { readFileSync } from 'node:fs';
import {
  buildSchema,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLNamedType,
  getNamedType,
  isCompositeType,
  isNonNullType,
  isObjectType,
  isUnionType,
} from 'graphql';
import type { Choices } from './choices.ts';
import { Inputs, type Known } from './inputs.ts';

const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'));

export interface Asking {
  readonly query: string;
  readonly variables: Record<string, unknown>;
}

export type Kind = 'query' | 'mutation' | 'subscription';

const roots = { query: schema.getQueryType(), mutation: schema.getMutationType(), subscription: schema.getSubscriptionType() };
export const rootFields = (kind: Kind) => Object.values(roots[kind]?.getFields() ?? {});

/**
 * One operation with the given root field, and possibly others. It is as valid as its values are.
 */
export function writeOperation(choices: Choices, known: Known, kind: Kind, field: GraphQLField<unknown, unknown>): Asking {
  const writer = new Writer(choices, known);
  const root = writer.field(field, 0);
  const more =
    kind === 'query' && choices.chance(30) ? writer.field(rootFields(kind)[choices.number(rootFields(kind).length)] ?? field, 0) : '';
  const declared = writer.declared.length > 0 ? `(${writer.declared.join(', ')})` : '';
  const name = choices.chance(50) ? 'Fuzz' : '';
  return { query: [`${kind} ${name}${declared} { ${root} ${more} }`, ...writer.fragments].join('\n'), variables: writer.variables };
}

class Writer {
  readonly declared: string[] = [];
  readonly variables: Record<string, unknown> = {};
  readonly fragments: string[] = [];
  readonly #choices: Choices;
  readonly #inputs: Inputs;
  #aliases = 0;

  constructor(choices: Choices, known: Known) {
    this.#choices = choices;
    this.#inputs = new Inputs(choices, known);
  }

  field(field: GraphQLField<unknown, unknown>, depth: number): string {
    const choices = this.#choices;
    const given = field.args
      .filter((arg) => isNonNullType(arg.type) || choices.chance(25))
      .map((arg) => `${arg.name}: ${this.#argument(arg)}`);
    // Fields of one name with different arguments conflict, so each field with arguments has an
    // alias.
    const alias = (given.length > 0 && depth > 0) || choices.chance(5) ? `a${this.#aliases++}: ` : '';
    const selection = this.#selection(getNamedType(field.type), depth + 1);
    return `${alias}${field.name}${given.length > 0 ? `(${given.join(', ')})` : ''}${this.#directive(depth)}${selection}`;
  }

  #argument(arg: GraphQLArgument): string {
    const name = `v${this.declared.length}`;
    this.declared.push(`$${name}: ${arg.type}`);
    this.variables[name] = this.#inputs.value(arg.type, arg.name);
    return `$${name}`;
  }

  #directive(depth: number): string {
    if (depth === 0 || !this.#choices.chance(4)) return '';
    return ` @${this.#choices.pick(['include', 'skip'])}(if: ${this.#choices.pick(['true', 'false'])})`;
  }

  #selection(type: GraphQLNamedType, depth: number): string {
    return isCompositeType(type) ? ` { ${this.#fields(type, depth)} }` : '';
  }

  #fields(type: GraphQLNamedType, depth: number): string {
    const choices = this.#choices;
    if (isUnionType(type)) {
      const members = type
        .getTypes()
        .map((member) => `... on ${member.name} { __typename ${depth < 3 ? this.#named(member, depth) : ''} }`);
      return `__typename ${members.join(' ')}`;
    }
    if (!isObjectType(type)) return '__typename';
    const shown = Object.values(type.getFields()).filter(({ type: inner }) =>
      isCompositeType(getNamedType(inner)) ? depth < 4 && choices.chance(depth === 1 ? 50 : 25) : choices.chance(60),
    );
    const written = shown.slice(0, 25).map((field) => this.field(field, depth));
    return ['__typename', ...written].join(' ');
  }

  /** The fields of a type, inline or in a fragment. */
  #named(type: GraphQLNamedType, depth: number): string {
    if (!this.#choices.chance(20)) return this.#fields(type, depth);
    const fields = this.#fields(type, depth);
    const name = `F${this.fragments.length}`;
    this.fragments.push(`fragment ${name} on ${type.name} { ${fields} }`);
    return `...${name}`;
  }
}

const scraps = [
  '{',
  '}',
  '(',
  ')',
  '[',
  ']',
  ':',
  '$',
  '@',
  '!',
  '...',
  '"',
  '"""',
  '#',
  '\\',
  '\0',
  '\uFEFF',
  '\uD800',
  'on',
  'fragment',
  'null',
  '1e9',
  '-',
  '😀',
  '&',
  '|',
  ',',
  '__proto__',
] as const;

/** The document after some accidents: pieces lost, doubled, swapped or inserted. */
export function damage({ query, variables }: Asking, choices: Choices): Asking {
  let text = query;
  const accidents = 1 + choices.number(4);
  for (let i = 0; i < accidents; i++) {
    const at = choices.number(text.length + 1);
    const length = 1 + choices.number(12);
    const piece = text.slice(at, at + length);
    const to = choices.number(text.length + 1);
    const accident = choices.pick(['lose', 'double', 'put', 'move', 'break']);
    if (accident === 'lose') text = text.slice(0, at) + text.slice(at + length);
    if (accident === 'double') text = text.slice(0, at) + piece.repeat(2 + choices.number(20)) + text.slice(at + length);
    if (accident === 'put') text = text.slice(0, at) + choices.pick(scraps) + text.slice(at);
    if (accident === 'move') text = text.slice(0, to) + piece + text.slice(to);
    if (accident === 'break') text = text.slice(0, at);
  }
  return { query: text, variables: choices.chance(20) ? {} : variables };
}
