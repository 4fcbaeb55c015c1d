/** Texts of a megabyte in every text field that a mutation takes (P14). */
import { getNamedType, isInputObjectType, isListType, isNonNullType } from 'graphql';
import { beforeAll, test } from 'vitest';
import { buildWorld } from '../e2e/world.ts';
import { createSqliteDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { ask } from './asking.ts';
import { Choices } from './choices.ts';
import { rootFields } from './documents.ts';
import { Inputs, knownOf } from './inputs.ts';

const megabyte = '\u{1F600}'.repeat(240_000);

let gateway: Gateway;
beforeAll(async () => {
  const database = await createSqliteDatabase();
  gateway = await startGateway({ database, flags: ['--key-rate', 'off'] });
  return async () => {
    await gateway.stop();
    await database.remove();
  };
});

test('a gateway refuses texts of a megabyte in every text field (P14)', async () => {
  const known = knownOf(await buildWorld(gateway));
  for (const { name, args } of rootFields('mutation')) {
    const [arg] = args;
    const type = arg && getNamedType(arg.type);
    if (!arg || !isInputObjectType(type)) continue;
    const fields = Object.values(type.getFields());
    const required = fields.filter((field) => isNonNullType(field.type) && field.defaultValue === undefined);
    // Without decisions: the simplest values.
    const inputs = new Inputs(new Choices(new Uint16Array()), known);
    const base = Object.fromEntries(required.map((field) => [field.name, inputs.value(field.type, field.name)]));
    for (const field of fields) {
      if (!['String', 'ID'].includes(getNamedType(field.type).name) || isListType(field.type)) continue;
      const input = { ...base, [field.name]: megabyte };
      await ask(gateway, {
        query: `mutation ($input: ${arg.type}) { ${name}(input: $input) { __typename ... on Error { message } } }`,
        variables: { input },
      });
    }
  }
});
