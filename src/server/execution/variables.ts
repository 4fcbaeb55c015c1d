/**
 * Reads the variables of operations. graphql-js walks the types of a schema anew for each value: of
 * a report of a thousand points it took a fifth of the processor time. Here each type becomes a
 * function once.
 *
 * These functions know valid values only. Whatever they refuse is read by graphql-js, which says
 * what is wrong with it, or knows the rare forms: a single value for a list, a default value of a
 * variable, @oneOf.
 */
import {
  type GraphQLInputField,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLLeafType,
  type GraphQLSchema,
  getVariableValues,
  isInputType,
  isLeafType,
  isListType,
  isNonNullType,
  isRequiredInputField,
  Kind,
  typeFromAST,
  type VariableDefinitionNode,
} from 'graphql';

type Values = { readonly [name: string]: unknown };
type VariableValues = ReturnType<typeof getVariableValues>;

const refused = Symbol('refused');
/** Returns the value of a given type, or `refused`. */
type Read = (value: unknown) => unknown;

const MOST_ERRORS = 50;

export class VariableReader {
  readonly #schema: GraphQLSchema;
  readonly #byVariable = new WeakMap<VariableDefinitionNode, Read>();
  readonly #byType = new WeakMap<GraphQLInputType, Read>();

  constructor(schema: GraphQLSchema) {
    this.#schema = schema;
  }

  read(definitions: readonly VariableDefinitionNode[], given: Values): VariableValues {
    const coerced: Record<string, unknown> = Object.create(null);
    for (const definition of definitions) {
      const name = definition.variable.name.value;
      const isGiven = Object.hasOwn(given, name);
      if (!isGiven && definition.type.kind !== Kind.NON_NULL_TYPE && !definition.defaultValue) continue;
      const value = isGiven ? this.#ofVariable(definition)(given[name]) : refused;
      if (value === refused) return getVariableValues(this.#schema, definitions, given, { maxErrors: MOST_ERRORS });
      coerced[name] = value;
    }
    return { coerced };
  }

  #ofVariable(definition: VariableDefinitionNode): Read {
    const known = this.#byVariable.get(definition);
    if (known) return known;
    const type = typeFromAST(this.#schema, definition.type);
    const read = isInputType(type) ? this.#ofType(type) : () => refused;
    this.#byVariable.set(definition, read);
    return read;
  }

  #ofType(type: GraphQLInputType): Read {
    const known = this.#byType.get(type);
    if (known) return known;
    const read = this.#make(type);
    this.#byType.set(type, read);
    return read;
  }

  #make(type: GraphQLInputType): Read {
    if (isNonNullType(type)) {
      const inner = this.#ofType(type.ofType);
      return (value) => (value === null ? refused : inner(value));
    }
    const inner = isListType(type) ? listOf(this.#ofType(type.ofType)) : isLeafType(type) ? leafOf(type) : this.#objectOf(type);
    return (value) => (value === null ? null : inner(value));
  }

  #objectOf(type: GraphQLInputObjectType): Read {
    if (type.isOneOf) return () => refused;
    const fieldOf = (field: GraphQLInputField) => ({
      name: field.name,
      read: this.#ofType(field.type),
      isRequired: isRequiredInputField(field),
      defaultValue: field.defaultValue,
    });
    // Made when first needed: a type may contain itself.
    let fields: ReturnType<typeof fieldOf>[] | undefined;
    return (value) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return refused;
      fields ??= Object.values(type.getFields()).map(fieldOf);
      const given = value as Values; // an object that is no array
      const read: Record<string, unknown> = {};
      let count = 0;
      for (const { name, read: readField, isRequired, defaultValue } of fields) {
        const part = given[name];
        if (part === undefined) {
          if (isRequired) return refused;
          if (defaultValue !== undefined) read[name] = defaultValue;
          continue;
        }
        const done = readField(part);
        if (done === refused) return refused;
        read[name] = done;
        count += 1;
      }
      // Others are fields that the type does not have.
      return Object.keys(given).length === count ? read : refused;
    };
  }
}

function listOf(read: Read): Read {
  return (value) => {
    if (!Array.isArray(value)) return refused;
    const items = new Array<unknown>(value.length);
    for (let i = 0; i < value.length; i++) {
      const item = read(value[i]);
      if (item === refused) return refused;
      items[i] = item;
    }
    return items;
  };
}

function leafOf(type: GraphQLLeafType): Read {
  return (value) => {
    try {
      const read: unknown = type.parseValue(value);
      return read === undefined ? refused : read;
    } catch {
      return refused;
    }
  };
}
