/**
 * Takes the resolver off every field that only reads the property of its own name, which is what GraphQL does by default, and says so to whoever
 * executes: graphql-jit compiles such a field to the bare property read, and calls a function with an info object for every other.
 */
import { type GraphQLSchema, isObjectType } from 'graphql';

export function readPlainly(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      if (field.extensions.pothosExposedField !== field.name) continue;
      delete field.resolve;
      field.extensions = { ...field.extensions, isPlain: true };
    }
  }
  return schema;
}
