import {
  type GraphQLNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import { schema } from '../../../src/schema/index.ts';

interface Described {
  readonly coordinate: string;
  readonly description: string | null | undefined;
}

/** The type and its parts, in the order of the schema. */
function partsOf(type: GraphQLNamedType): Described[] {
  const parts: Described[] = [{ coordinate: type.name, description: type.description }];
  if (isEnumType(type)) {
    for (const value of type.getValues()) parts.push({ coordinate: `${type.name}.${value.name}`, description: value.description });
  }
  if (isInputObjectType(type)) {
    for (const field of Object.values(type.getFields()))
      parts.push({ coordinate: `${type.name}.${field.name}`, description: field.description });
  }
  if (isObjectType(type) || isInterfaceType(type)) {
    for (const field of Object.values(type.getFields())) {
      parts.push({ coordinate: `${type.name}.${field.name}`, description: field.description });
      for (const arg of field.args) parts.push({ coordinate: `${type.name}.${field.name}(${arg.name}:)`, description: arg.description });
    }
  }
  return parts;
}

const parts = Object.values(schema.getTypeMap())
  .filter((type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type))
  .flatMap(partsOf);

describe('the schema', () => {
  test('has a description of every type, field, argument, input field and enum value', () => {
    expect(parts.length).toBeGreaterThan(500);
    expect(parts.filter(({ description }) => !description?.trim()).map(({ coordinate }) => coordinate)).toEqual([]);
  });

  test('has sentences as descriptions', () => {
    const unfinished = parts.filter(({ description }) => description && !/^[\p{Lu}`*'"0-9(].*[.)…]$/su.test(description.trim()));
    expect(unfinished.map(({ coordinate, description }) => `${coordinate}: ${description}`)).toEqual([]);
  });
});
