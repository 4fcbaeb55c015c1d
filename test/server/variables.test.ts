/** Variables are read as graphql-js reads them: all input types of the schema, valid and not. */
import fc from 'fast-check';
import {
  type GraphQLInputType,
  getVariableValues,
  isEnumType,
  isInputObjectType,
  isInputType,
  isListType,
  isNonNullType,
  isScalarType,
  Kind,
  parse,
  type VariableDefinitionNode,
} from 'graphql';
import { expect, test } from 'vitest';
import { schema } from '../../src/schema/index.ts';
import { VariableReader } from '../../src/server/execution/variables.ts';

const MOST_LEVELS = 5;
const TYPES = Object.values(schema.getTypeMap()).flatMap((type) => (isInputType(type) ? [[type.name, type] as const] : []));

const texts = fc.constantFrom('', 'text', 'job_01', '2026-01-31T12:00:00.000Z', '2026-02-30T12:00:00.000Z', '2026-01-31T12:00:00+02:00');
const numbers = fc.constantFrom(0, 1, -1, 7.5, 2 ** 31, 2 ** 53);
const wrong = fc.constantFrom<unknown>(null, true, 'x', 3, [], {}, [null], { unknown: 1 });

/** A value of the type, in which now and then a part is of another, missing, or one too many. */
function partOf(type: GraphQLInputType, levels = MOST_LEVELS): fc.Arbitrary<unknown> {
  if (isNonNullType(type)) return partOf(type.ofType, levels);
  return fc.oneof({ weight: 40, arbitrary: validOf(type, levels) }, { weight: 1, arbitrary: wrong });
}

function validOf(type: GraphQLInputType, levels: number): fc.Arbitrary<unknown> {
  if (isListType(type)) return fc.array(partOf(type.ofType, levels - 1), { maxLength: levels > 0 ? 3 : 0 });
  if (isEnumType(type)) return fc.constantFrom(...type.getValues().map(({ name }) => name));
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields()).filter((field) => isNonNullType(field.type) || levels > 0);
    const required = fields.filter((field) => isNonNullType(field.type)).map(({ name }) => name);
    return fc.record(Object.fromEntries(fields.map((field) => [field.name, partOf(field.type, levels - 1)])), { requiredKeys: required });
  }
  if (!isScalarType(type)) throw new Error(`Not an input type: ${String(type)}`);
  if (type.name === 'Boolean') return fc.boolean();
  if (type.name === 'Int' || type.name === 'Float' || type.name === 'ByteCount') return numbers;
  if (type.name.startsWith('JSON')) return fc.constantFrom<unknown>({ a: [1, { b: null }] }, {}, { a: 'x' });
  return texts;
}

/** What is read, or the messages of what is wrong. */
const seen = ({ coerced, errors }: ReturnType<typeof getVariableValues>): unknown =>
  errors ? errors.map(({ message, extensions }) => ({ message, extensions })) : { coerced };

function variablesOf(text: string): readonly VariableDefinitionNode[] {
  const [operation] = parse(`query (${text}) { __typename }`).definitions;
  return operation?.kind === Kind.OPERATION_DEFINITION ? (operation.variableDefinitions ?? []) : [];
}

test.each(TYPES)('a variable of type %s is read as graphql-js reads it', (name, type) => {
  const reader = new VariableReader(schema);
  for (const form of [name, `${name}!`, `[${name}!]!`, `[${name}]`]) {
    const definitions = variablesOf(`$value: ${form}`);
    const value = form.startsWith('[') ? fc.oneof(fc.array(partOf(type), { maxLength: 3 }), partOf(type)) : partOf(type);
    const check = (given: object) => {
      const expected = getVariableValues(schema, definitions, { ...given }, { maxErrors: 50 });
      expect(seen(reader.read(definitions, { ...given }))).toEqual(seen(expected));
    };
    fc.assert(
      fc.property(value, (one) => check({ value: one })),
      { numRuns: 20 },
    );
    check({});
    check({ value: null });
  }
});

test('a variable that is absent is left out, or has its default', () => {
  const reader = new VariableReader(schema);
  const definitions = variablesOf('$first: Int, $after: String = "x"');
  expect(reader.read(definitions, {}).coerced).toEqual({ after: 'x' });
  expect(reader.read(definitions, { first: 2 }).coerced).toEqual({ first: 2, after: 'x' });
  expect(reader.read(definitions, { first: null, after: 'y' }).coerced).toEqual({ first: null, after: 'y' });
});
