import SchemaBuilder from '@pothos/core';
import { type GraphQLSchema, graphql, isObjectType } from 'graphql';
import { expect, test } from 'vitest';
import { ResponseBudget } from '../../../src/schema/core/response-budget.ts';
import '../../../src/schema/core/size-plugin.ts';
import { FEW, IN_ITS_PAGE, type Size } from '../../../src/schema/core/sizes.ts';

interface Row {
  readonly name: string;
  readonly title: string;
}

/** A schema with one type of two texts and the given definitions. */
function build(define: (builder: ReturnType<typeof newBuilder>) => void): GraphQLSchema {
  const builder = newBuilder();
  builder.queryType({ fields: (t) => ({ hello: t.string({ resolve: () => 'world' }) }) });
  define(builder);
  return builder.toSchema();
}
const newBuilder = () =>
  new SchemaBuilder<{ Context: { budget: ResponseBudget }; DefaultFieldNullability: false }>({
    plugins: ['size'],
    defaultFieldNullability: false,
  });

function fieldOf(schema: GraphQLSchema, type: string, name: string) {
  const found = schema.getType(type);
  const field = isObjectType(found) ? found.getFields()[name] : undefined;
  if (!field) throw new Error(`The schema has no ${type}.${name}.`);
  return field;
}

const rows = Array.from({ length: 5 }, (_, i): Row => ({ name: `n${i}`, title: 'x'.repeat(2_000) }));

test('a list of objects without a size is an error that names it when the schema is built', () => {
  const make = () =>
    build((builder) => {
      const RowType = builder.objectRef<Row>('Row').implement({ fields: (t) => ({ name: t.exposeString('name') }) });
      builder.queryField('rows', (t) => t.field({ type: [RowType], resolve: () => rows }));
    });
  expect(make).toThrow('Query.rows is a list of objects: its `size` has to say how long.');
});

test('the size of a field comes from its options or its page, and the entries of a page have none of their own', () => {
  const schema = build((builder) => {
    const RowType = builder.objectRef<Row>('Row').implement({ fields: (t) => ({ name: t.exposeString('name') }) });
    const RowPage = builder.objectRef<{ rows: Row[] }>('RowPage').implement({
      fields: (t) => ({ rows: t.expose('rows', { type: [RowType], size: IN_ITS_PAGE }) }),
    });
    builder.queryFields((t) => ({
      rows: t.field({ type: [RowType], size: FEW, resolve: () => rows }),
      page: t.field({ type: RowPage, args: { first: t.arg.int() }, resolve: () => ({ rows }) }),
    }));
  });
  expect(fieldOf(schema, 'Query', 'rows').extensions.size).toEqual(FEW);
  const ofPage: Size = { by: ['first'], usually: 100, perNode: 1, isPage: true };
  expect(fieldOf(schema, 'Query', 'page').extensions.size).toEqual(ofPage);
  expect(fieldOf(schema, 'RowPage', 'rows').extensions.size).toBeUndefined();
  expect(fieldOf(schema, 'Query', 'hello').extensions.size).toBeUndefined();
});

test('a field that only reads the property of its name, and takes nothing from the budget, has no resolver', () => {
  const schema = build((builder) => {
    builder.objectRef<Row>('Row').implement({
      fields: (t) => ({
        name: t.exposeString('name'),
        label: t.exposeString('name'),
        title: t.exposeString('title', { budget: true }),
      }),
    });
  });
  expect(fieldOf(schema, 'Row', 'name').resolve).toBeUndefined();
  expect(fieldOf(schema, 'Row', 'label').resolve).toBeInstanceOf(Function);
  expect(fieldOf(schema, 'Row', 'title').resolve).toBeInstanceOf(Function);
});

test('long texts, and entries of a list beyond its size, take from the response budget, and are refused once it is spent', async () => {
  const schema = build((builder) => {
    const RowType = builder.objectRef<Row>('Row').implement({
      fields: (t) => ({ name: t.exposeString('name'), title: t.exposeString('title', { budget: true }) }),
    });
    builder.queryField('rows', (t) => t.field({ type: [RowType], size: FEW, resolve: () => rows }));
  });
  const ask = async (source: string, allowed: number) => {
    let charged = 0;
    const budget = new ResponseBudget(allowed, undefined, (characters) => {
      charged += characters;
    });
    const { errors } = await graphql({ schema, source, contextValue: { budget } });
    return { charged, code: errors?.[0]?.extensions.code };
  };
  // Two more than the cost assumed.
  expect(await ask('{ rows { name } }', 100_000)).toEqual({ charged: 2_048, code: undefined });
  expect(await ask('{ rows { title } }', 100_000)).toEqual({ charged: 2_048 + 5 * 2_000, code: undefined });
  expect(await ask('{ rows { title } }', 5_000)).toMatchObject({ code: 'LIMIT_EXCEEDED' });
});
