import { inspect } from 'node:util';
import { buildSchema, defaultFieldResolver, GraphQLError, type GraphQLFieldResolver, type GraphQLSchema, isObjectType } from 'graphql';
import type { Source } from './source.ts';

/** The context of the sample schema's resolvers. */
export interface SampleContext {
  readonly name: string;
  /** Each execution has its own context, with its own number. */
  readonly number: number;
}

const SDL = /* GraphQL */ `
  type Query {
    hello: String!
    large: String!
    me: String!
    echo(text: String!, list: [Int!], color: Color, times: Int! = 1): String!
    take(input: Box!): String!
    boom: String
    boomNonNull: String!
    forbidden: String
    wrongInt: Int
    mispriced: Int
    slow: String
    never: String
    animals: [Animal!]!
    brokenAnimals: [Animal]
    search: [Found!]!
    deep: Deep!
  }
  input Box {
    name: String!
    note: String
    size: Int! = 3
    colors: [Color!]
    inner: Box
    either: Either
  }
  input Either @oneOf {
    left: Int
    right: String
  }
  enum Color {
    RED
    GREEN
  }
  interface Animal {
    name: String!
    friend: Animal
  }
  type Dog implements Animal {
    name: String!
    friend: Animal
    barks: Boolean!
    later: String
  }
  type Cat implements Animal {
    name: String!
    friend: Animal
    lives: Int
  }
  type Stone {
    weight: Float!
  }
  union Found = Dog | Cat | Stone
  type Deep {
    deep: Deep!
    value: Int
  }
  type Mutation {
    push(value: Int!): [Int!]!
    fail: Int!
    hang: Int
  }
  type Subscription {
    ticks(to: Int!): Tick!
    shared: Tick!
    quiet: Tick!
    big: Tick!
    refused: Tick!
    breaking: Tick!
    broken: Tick!
  }
  type Tick {
    number: Int!
    context: Int!
    fill: String
    faulty: Int
    faultyNonNull: Int!
  }
`;

/** The error of a source with several subscribers. */
const SHARED_FAULT = new Error('a secret of ours');

/** A schema with an example of everything that the server handles. */
export function buildSampleSchema(source: Source): GraphQLSchema {
  const schema = buildSchema(SDL);
  const pushed: number[] = [];
  const cat = { __typename: 'Cat', name: 'Tom', lives: null, friend: null };
  const dog = { __typename: 'Dog', name: 'Rex', barks: true, friend: cat, later: () => Promise.resolve('woof') };
  const boom = () => {
    throw new Error('a secret of ours');
  };
  resolve(schema, 'Query', {
    hello: () => 'world',
    large: () => 'x'.repeat(20_000_000),
    me: (_root, _args, context) => context.name,
    echo: (_root, args) => Promise.resolve(show(args)),
    take: (_root, args) => show(args),
    boom: () => Promise.reject(new Error('a secret of ours')),
    boomNonNull: boom,
    forbidden: () => {
      throw new GraphQLError('Not for you.', { extensions: { code: 'FORBIDDEN' } });
    },
    wrongInt: () => 'no number',
    slow: () => new Promise((settle) => setImmediate(settle, 'done')),
    never: () => new Promise(() => {}),
    animals: () => [dog, cat],
    brokenAnimals: () => [dog, new Error('a secret of ours'), null, { __typename: 'Cat', name: null }, Promise.resolve(cat)],
    search: () => Promise.resolve([cat, { __typename: 'Stone', weight: 1.5 }, dog]),
    deep: () => ({ value: 1, deep: () => ({ value: 2, deep: { value: 3 } }) }),
  });
  resolve(schema, 'Mutation', {
    push: async (_root, { value }) => {
      await new Promise((settle) => setImmediate(settle));
      pushed.push(value);
      return [...pushed];
    },
    fail: boom,
    hang: () => new Promise(() => {}),
  });
  resolve(schema, 'Tick', {
    context: (_root, _args, context) => context.number,
    fill: (tick) => 'x'.repeat(tick.fillBytes ?? 0),
    faulty: boom,
    faultyNonNull: boom,
  });
  const mispriced = schema.getQueryType()?.getFields().mispriced;
  if (mispriced) mispriced.extensions = { size: { by: null } }; // so the calculation of its cost throws
  const subscription = schema.getSubscriptionType()?.getFields() ?? {};
  const feeds: Record<string, GraphQLFieldResolver<unknown, SampleContext>> = {
    ticks: (_root, { to }) => source.open('ticks', (number) => (number <= to ? { ticks: { number } } : null)),
    shared: () => source.open('shared'),
    quiet: () => source.open('quiet'),
    big: () => source.open('big', (number) => ({ big: { number, fillBytes: 200_000 } })),
    refused: () => {
      throw new GraphQLError('Not for you.', { extensions: { code: 'FORBIDDEN' } });
    },
    broken: () => source.open('broken', () => Promise.reject(SHARED_FAULT)),
    breaking: () => source.open('breaking', () => Promise.reject(new Error('a secret of ours'))),
  };
  for (const [name, field] of Object.entries(subscription)) {
    const subscribe = feeds[name];
    if (subscribe) field.subscribe = subscribe;
  }
  // The sample's objects have functions and promises as properties, which a field without a
  // resolver does not call (see Jit).
  for (const type of Object.values(schema.getTypeMap()))
    if (isObjectType(type)) for (const field of Object.values(type.getFields())) field.resolve ??= defaultFieldResolver;
  return schema;
}

/** Distinguishes an absent key from null. Ignores the order of keys. */
function show(args: object): string {
  return inspect(structuredClone(args), { sorted: true, depth: 9 });
}

// biome-ignore lint/suspicious/noExplicitAny: the sample has no types for roots and arguments
type Resolvers = Record<string, GraphQLFieldResolver<any, SampleContext>>;

function resolve(schema: GraphQLSchema, typeName: string, resolvers: Resolvers): void {
  const type = schema.getType(typeName);
  if (!isObjectType(type)) throw new Error(`No type ${typeName}.`);
  for (const [name, field] of Object.entries(type.getFields())) {
    const resolver = resolvers[name];
    if (resolver) field.resolve = resolver;
  }
}
