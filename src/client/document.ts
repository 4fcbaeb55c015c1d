/**
 * A document that carries the types of its data and variables, as graphql-codegen writes it with
 * `documentMode: 'string'`. It is a string object: a syntax tree is not accepted.
 */
export interface TypedDocument<Data, Variables> {
  /** Never set. It only carries the types. */
  readonly __apiType?: (variables: Variables) => Data;
  readonly length: number;
  toString(): string;
}

/** A GraphQL document: plain text, or text with the types of its data and variables. */
export type Document<Data, Variables> = string | TypedDocument<Data, Variables>;

/** What a document without required variables takes. */
export interface NoVariables {
  readonly [name: string]: never;
}

/** Gives a document the types of its data and variables, for those who write it by hand. */
export function typed<Data, Variables = NoVariables>(text: string): TypedDocument<Data, Variables> {
  return text;
}
