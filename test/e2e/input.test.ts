/** Input that nobody meant, made from the schema by a seeded generator: it gets data or a typed refusal, on both databases (P14). */
import { readFileSync } from 'node:fs';
import {
  buildSchema,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLOutputType,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
} from 'graphql';
import { beforeEach, expect, test } from 'vitest';
import { describeOnEachStore } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { pickNumber, pickOne, seedRandom } from '../support/random.ts';
import { type Asked, ask, firstFrame } from './asking.ts';
import { buildWorld, type World } from './world.ts';

const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'));
const OPERATIONS = 400;

/** Texts that break what was not made for them. */
const texts = [
  '',
  ' ',
  'a',
  '\0',
  'a\0b',
  'a\nb\r\n',
  '\u202Etxt.exe',
  '\uD800',
  '\uDC00\uD800',
  '😀👩‍👩‍👧',
  'مرحبا',
  '\uFFFF\uFEFF',
  "'; drop table jobs; --",
  '%_\\',
  '$1 {{x}} %s',
  '../../etc/passwd',
  '__proto__',
  'constructor',
  'NaN',
  '-1',
  '1e999',
  'null',
  '2026-13-45T99:99:99Z',
  '0000-00-00',
  'x'.repeat(300),
  '😀'.repeat(20_000),
] as const;
const numbers = [
  0,
  -0,
  1,
  -1,
  2,
  0.1,
  -0.5,
  1e-300,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 53,
  -(2 ** 53),
  1e21,
  1e308,
  3,
  100,
  1_000,
] as const;

/** Values for the variables of operations. */
class Inputs {
  readonly #random: (bytes: number) => Buffer;
  readonly #ids: readonly [string, ...string[]];
  readonly #fitting: Readonly<Record<string, string>>;
  /** In percent: how often a value is not what its place is for. */
  #oddity = 0;

  constructor(seed: string, world: World) {
    this.#random = seedRandom(seed);
    this.#ids = idsOf(world);
    const { project, own, device, experiment, file, adminKeyId, leaseToken } = world;
    const files = { fragmentId: file, startModelFragmentId: file };
    this.#fitting = {
      projectId: project,
      jobId: own,
      deviceId: device,
      experimentId: experiment,
      apiKeyId: adminKeyId,
      leaseToken,
      ...files,
    };
  }

  /** The variables of one operation: most are nearly right, and so get far; some are right nowhere. */
  variables({ args }: Operation): Record<string, unknown> {
    this.#oddity = this.pick([0, 5, 10, 50]);
    const wanted = this.#oddity < 50 ? args.filter(({ name }) => !['last', 'after', 'before'].includes(name)) : args;
    return Object.fromEntries(wanted.map((arg) => [arg.name, this.value(arg.type, arg.name)]));
  }

  chance(percent: number): boolean {
    return pickNumber(this.#random, 100) < percent;
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return pickOne(this.#random, choices);
  }

  /** Of the type, most times: what gets past the first check meets the others. */
  value(type: GraphQLInputType, name: string, depth = 0): unknown {
    if (this.chance(this.#oddity / 10)) return this.pick<unknown>([null, true, 0, -1.5, '', 'x', [], {}, [[]], { a: [null] }]);
    if (isNonNullType(type)) return this.value(type.ofType, name, depth);
    if (this.chance(depth > 2 ? 60 : 10)) return null;
    if (isListType(type)) return Array.from({ length: this.pick([0, 1, 1, 2, 3]) }, () => this.value(type.ofType, name, depth + 1));
    if (isEnumType(type)) return this.chance(this.#oddity / 10) ? 'NO_SUCH_WORD' : this.pick(named(type.getValues()));
    if (isInputObjectType(type)) return this.#object(Object.values(type.getFields()), depth);
    const fitting = this.#fitting[name];
    return fitting !== undefined && !this.chance(this.#oddity + 5) ? fitting : this.#scalar(type.name);
  }

  #object(fields: readonly { name: string; type: GraphQLInputType }[], depth: number): unknown {
    const wanted = fields.filter(({ type }) => isNonNullType(type) || this.chance(depth > 1 ? 25 : 45));
    return Object.fromEntries(wanted.map(({ name, type }) => [name, this.value(type, name, depth + 1)]));
  }

  #scalar(name: string): unknown {
    const isOdd = this.chance(this.#oddity);
    if (name === 'ID') return isOdd ? this.pick(texts) : this.pick(this.#ids);
    if (name === 'Int') return isOdd ? this.pick(numbers) : this.pick([1, 2, 3]);
    if (name === 'Float') return isOdd ? this.pick(numbers) : this.pick([1, 60, 2.5]);
    if (name === 'ByteCount') return this.pick([0, 1, 5, 2 ** 40, ...numbers]);
    if (name === 'Boolean') return this.chance(50);
    if (name === 'DateTime') return this.pick(['2026-01-01T00:00:00Z', '0001-01-01T00:00:00+14:00', '9999-12-31T23:59:59.999Z', ...texts]);
    if (name === 'Cursor') return this.pick([Buffer.from('x.event.y.1').toString('base64url'), ...texts]);
    if (name === 'JSON' || name === 'JSONObject') return this.#json(name === 'JSONObject');
    return isOdd ? this.pick(texts) : this.pick(['a', 'b', '5', 'loss', 'größer 😀', '\uD800']);
  }

  #json(isObject: boolean): unknown {
    const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) });
    const entry = this.pick<unknown>([null, 1, 1e308, -0, this.pick(texts), [this.pick(texts)], deep(20), deep(200), { $ref: '#' }]);
    return isObject || this.chance(50)
      ? JSON.parse(`{${JSON.stringify(this.pick(texts))}: ${JSON.stringify(entry)}, "type": ["object"]}`)
      : entry;
  }
}

const named = (values: readonly { name: string }[]): [string, ...string[]] => {
  const [first = '', ...rest] = values.map(({ name }) => name);
  return [first, ...rest];
};

interface Operation {
  readonly name: string;
  readonly document: string;
  readonly args: GraphQLField<unknown, unknown>['args'];
}

const rootFields = (kind: 'query' | 'mutation' | 'subscription'): Operation[] => {
  const root = { query: schema.getQueryType(), mutation: schema.getMutationType(), subscription: schema.getSubscriptionType() }[kind];
  return Object.values(root?.getFields() ?? {}).map(({ name, args, type }) => {
    const declared = args.length > 0 ? `(${args.map((arg) => `$${arg.name}: ${arg.type}`).join(', ')})` : '';
    const passed = args.length > 0 ? `(${args.map((arg) => `${arg.name}: $${arg.name}`).join(', ')})` : '';
    return { name, args, document: `${kind} ${declared} { ${name}${passed} ${fieldsOf(type)} }` };
  });
};

/** What can be read of an answer without arguments, two levels deep. */
function fieldsOf(type: GraphQLOutputType, depth = 0): string {
  const of = getNamedType(type);
  if (isUnionType(of))
    return `{ __typename ${of
      .getTypes()
      .map((member) => `... on ${member.name} ${fieldsOf(member, depth)}`)
      .join(' ')} }`;
  if (!isObjectType(of)) return 'getFields' in of ? '{ __typename }' : '';
  const fields = Object.values(of.getFields()).filter(({ args }) => args.every((arg) => !isNonNullType(arg.type)));
  const shown = fields.flatMap(({ name, type: inner }) => {
    const isLeaf = !('getFields' in getNamedType(inner)) && !isUnionType(getNamedType(inner));
    if (isLeaf) return [name];
    return depth === 0 && name !== 'pageInfo' ? [`${name} ${fieldsOf(inner, depth + 1)}`] : [];
  });
  return `{ __typename ${shown.slice(0, 40).join(' ')} }`;
}

const idsOf = ({ keys: _, makeKey: __, foreign, ...own }: World): [string, ...string[]] => {
  const [first = '', ...rest] = [...Object.values(own), ...Object.values(foreign)];
  return [first, ...rest];
};

describeOnEachStore('A gateway', (_, create) => {
  let gateway: Gateway;
  beforeEach(async () => {
    gateway = await startGateway({ database: await create() });
    return () => gateway.stop();
  });

  const check = ({ status, errors }: Asked, asked: unknown) => {
    const fault = status >= 500 || errors?.some(({ extensions }) => extensions.code === 'INTERNAL_ERROR');
    if (fault) throw new Error(`${JSON.stringify(asked)?.slice(0, 2_000)}\n${gateway.output().slice(-2_000)}`);
  };

  test('answers whatever it is asked with data or a typed refusal (P14)', async () => {
    const world = await buildWorld(gateway);
    const inputs = new Inputs('input', world);
    // What deletes comes last, or the rest would meet nothing.
    const [last, first] = [true, false].map((deletes) =>
      [...rootFields('query'), ...rootFields('mutation')].filter(({ name }) => /^(delete|cancel|revoke)/.test(name) === deletes),
    ) as [[Operation, ...Operation[]], [Operation, ...Operation[]]]; // the schema has both
    const seen = new Set<string>();
    for (let i = 0; i < OPERATIONS; i++) {
      const operation = i < first.length * 2 ? (first[i % first.length] as Operation) : inputs.pick(i < OPERATIONS - 40 ? first : last);
      const { name, document } = operation;
      const variables = inputs.variables(operation);
      if (name === 'claimNextSteps') Object.assign(variables.input ?? {}, { waitSeconds: 0 });
      // Twice at once, now and then: the second meets what the first is doing.
      const answers = await Promise.all((inputs.chance(20) ? [0, 1] : [0]).map(() => ask(gateway, gateway.adminKey, document, variables)));
      for (const answer of answers) {
        check(answer, { name, variables });
        seen.add(`${name} ${answer.errors?.[0]?.extensions.code ?? 'data'}`);
      }
    }
    // It was no mere refusing of shapes.
    expect([...seen].filter((outcome) => outcome.endsWith(' data')).length).toBeGreaterThan(40);
    expect((await ask(gateway, gateway.adminKey, '{ viewer { name } }')).data).toBeTruthy();
  });

  test('refuses texts of a megabyte, in every field of text there is (P14)', async () => {
    const world = await buildWorld(gateway);
    const megabyte = '\u{1F600}'.repeat(240_000);
    for (const { name, document, args } of rootFields('mutation')) {
      const [arg] = args;
      const type = arg && getNamedType(arg.type);
      if (!isInputObjectType(type)) continue;
      const required = Object.values(type.getFields()).filter((field) => isNonNullType(field.type) && field.defaultValue === undefined);
      const inputs = new Inputs('required', world);
      const base = Object.fromEntries(required.map((field) => [field.name, inputs.value(field.type, field.name)]));
      for (const field of Object.values(type.getFields())) {
        if (!['String', 'ID'].includes(getNamedType(field.type).name) || isListType(field.type)) continue;
        const input = { ...base, [field.name]: megabyte };
        check(await ask(gateway, gateway.adminKey, document, { input }), { name, field: field.name });
      }
    }
  });

  test('answers whatever is subscribed to with a frame or a refusal (P14)', async () => {
    const world = await buildWorld(gateway);
    const inputs = new Inputs('subscriptions', world);
    for (const operation of rootFields('subscription').flatMap((one) => [one, one, one])) {
      const { name, document } = operation;
      const variables = inputs.variables(operation);
      // A live list of jobs that takes none has nothing to say.
      if (name === 'jobsUpdated') continue;
      check(await firstFrame(gateway, gateway.adminKey, document, variables), { name, variables });
    }
  });
});
