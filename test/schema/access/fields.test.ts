/**
 * Every kind of key against every field of every type, by every path: a key reads exactly what the
 * table of fields allows (P15).
 *
 * The walk starts at the root fields and follows the schema as far as the key may go. Each text and
 * number is queried wherever its object is reached. Protected fields hold a secret word, which is
 * then looked for in all answers.
 */
import {
  execute,
  type GraphQLField,
  type GraphQLNamedType,
  getNamedType,
  isCompositeType,
  isObjectType,
  isRequiredArgument,
  parse,
} from 'graphql';
import { beforeAll, describe, expect, test } from 'vitest';
import { rightsToFields } from '../../../src/domain/access/fields.ts';
import type { Principal } from '../../../src/domain/access/principal.ts';
import { type Action, isForEveryone, may } from '../../../src/domain/access/rights.ts';
import { Wakeups } from '../../../src/realtime/wakeups.ts';
import { createContext } from '../../../src/schema/core/context.ts';
import { guardFields, standIn } from '../../../src/schema/core/guards.ts';
import { schema } from '../../../src/schema/index.ts';
import { createSqliteDatabase } from '../../support/databases.ts';
import { plantSeed, type Seed } from '../../support/seed.ts';
import { type GuardedWorld, guardWorld, type Holder, word, words } from '../guarded-world.ts';

let seed: Seed;
let world: GuardedWorld;
beforeAll(async () => {
  seed = await plantSeed(await (await createSqliteDatabase()).open());
  world = await guardWorld(seed);
});

interface Answer {
  readonly data?: unknown;
  readonly errors?: readonly { readonly extensions: { readonly [name: string]: unknown }; readonly message: string }[] | undefined;
}

function askAs(principal: Principal) {
  const wakeups = new Wakeups(seed.domain.store);
  // Without validation: the documents are made from the schema, and there are thousands.
  return async (source: string): Promise<Answer> =>
    execute({ schema, document: parse(source), contextValue: createContext({ domain: seed.domain, wakeups }, principal) });
}

type Field = GraphQLField<unknown, unknown>;
const isLeaf = (field: Field) => !isCompositeType(getNamedType(field.type));
const fieldsOf = (type: GraphQLNamedType): Field[] => (isObjectType(type) ? Object.values(type.getFields()) : []);

const isNode = (type: GraphQLNamedType) => isObjectType(type) && type.getInterfaces().some(({ name }) => name === 'Node');

/** `Type.field` as a selection, with its required arguments. */
function asked(type: string, field: Field): string {
  const given = world.args[`${type}.${field.name}`] ?? '';
  if (given === '' && field.args.some(isRequiredArgument)) throw new Error(`${type}.${field.name} needs arguments.`);
  return given === '' ? field.name : `${field.name}(${given})`;
}

/** The types that a field may return. */
function typesOf(field: Field): GraphQLNamedType[] {
  const type = getNamedType(field.type);
  return isCompositeType(type) && !isObjectType(type) ? [...schema.getPossibleTypes(type)] : [type];
}

/** A path to an object from the root, each field inside the one before. */
interface Way {
  readonly type: GraphQLNamedType;
  readonly wrap: (selection: string) => string;
  readonly depth: number;
  /**
   * The path from the last object with an id. Objects without an id are visited again on every
   * path.
   */
  readonly via: string;
}

const DEEPEST = 6;

/** Everything at the end of the path; empty if the path leads to nothing. */
function found(answer: Answer): string[] {
  const objects: string[] = [];
  const look = (value: unknown): void => {
    if (value === null || typeof value !== 'object') return;
    if ('__end' in value) objects.push(String(value.__end));
    for (const inner of Object.values(value)) look(inner);
  };
  look(answer.data);
  return objects;
}

/**
 * Visits all that the key may reach. Returns the answer of each field, and the text of all answers.
 */
async function walk({ principal }: Holder) {
  const ask = askAs(principal);
  const met = new Map<string, string>();
  let text = '';
  const gone = new Set<string>();
  const query = schema.getQueryType();
  if (!query) throw new Error('The schema has queries.');
  const ways: Way[] = [{ type: query, wrap: (selection) => `{ ${selection} }`, depth: 0, via: '' }];
  for (let way = ways.shift(); way; way = ways.shift()) {
    const { type, wrap, depth, via } = way;
    const note = (coordinate: string, outcome: string) => {
      const before = met.get(coordinate);
      met.set(coordinate, before === undefined || before === outcome ? outcome : `${before}, ${outcome}`);
    };
    const coordinateOf = (field: Field) => `${type.name}.${field.name}`;
    const leaves = fieldsOf(type).filter(isLeaf);
    const isAllowed = (field: Field) => may(principal, rightsToFields.get(coordinateOf(field)) ?? 'ask');
    // Allowed fields are selected together, others one at a time: a refusal hides its siblings.
    const allowed = leaves.filter(isAllowed);
    const together = await ask(wrap(`__end: __typename ${allowed.map((field) => asked(type.name, field)).join(' ')}`));
    text += JSON.stringify(together);
    for (const field of allowed) note(coordinateOf(field), together.errors?.[0]?.message ?? 'read');
    for (const field of leaves.filter((each) => !isAllowed(each))) {
      const answer = await ask(wrap(`__end: __typename ${asked(type.name, field)}`));
      text += JSON.stringify(answer);
      const isHidden = answer.errors ? answer.errors[0]?.extensions.code === 'FORBIDDEN' : isStandIn(answer, field);
      note(coordinateOf(field), isHidden ? 'hidden' : 'read');
    }
    if (depth === DEEPEST) continue;
    for (const field of fieldsOf(type).filter((each) => !isLeaf(each))) {
      for (const next of typesOf(field)) {
        const edge = `${via} ${type.name}.${field.name}>${next.name}`;
        if (gone.has(edge)) continue;
        const isAbstract = getNamedType(field.type).name !== next.name;
        const into = (selection: string) =>
          wrap(`${asked(type.name, field)} { ${isAbstract ? `... on ${next.name} { ${selection} }` : selection} }`);
        const answer = await ask(into('__end: __typename'));
        text += JSON.stringify(answer);
        if (!isAllowed(field) && found(answer).length > 0) note(coordinateOf(field), 'read');
        if (!found(answer).includes(next.name)) continue;
        gone.add(edge);
        ways.push({ type: next, wrap: into, depth: depth + 1, via: isNode(next) ? '' : edge });
      }
    }
  }
  return { met, text };
}

/** Whether every object at the end of the path answered the field's stand-in. */
function isStandIn(answer: Answer, field: Field): boolean {
  const instead = JSON.stringify(standIn(field.type));
  const values: unknown[] = [];
  const look = (value: unknown): void => {
    if (value === null || typeof value !== 'object') return;
    if ('__end' in value) values.push((value as Record<string, unknown>)[field.name]); // an object of an answer
    for (const inner of Object.values(value)) look(inner);
  };
  look(answer.data);
  return values.every((value) => JSON.stringify(value) === instead);
}

describe('Every field of every type', () => {
  test('is read only by keys with the right that its row names, on every path (P15)', async () => {
    const reached = new Set<string>();
    for (const holder of world.holders) {
      const { met, text } = await walk(holder);
      const wrong = [...met].filter(([coordinate, outcome]) => {
        const right: Action = rightsToFields.get(coordinate) ?? 'ask';
        return outcome !== (may(holder.principal, right) ? 'read' : 'hidden');
      });
      expect({ holder: holder.name, wrong }).toEqual({ holder: holder.name, wrong: [] });
      expect({ holder: holder.name, words: words.filter((name) => text.includes(word(name))) }).toEqual({
        holder: holder.name,
        words: holder.reads.filter((name) => words.includes(name)).sort((a, b) => words.indexOf(a) - words.indexOf(b)),
      });
      for (const coordinate of met.keys()) reached.add(coordinate);
    }
    // The walk does not reach the payloads of mutations, the frames of subscriptions, and refusals.
    const isAnswer = /^(\w+(Payload|Error|Frame)|InputIssue|Claim|Lease|SecretVariable|StepSession|IgnoredMetric)\./;
    const isLeafOf = (coordinate: string) => {
      const [typeName = '', name = ''] = coordinate.split('.');
      const field = fieldsOf(schema.getType(typeName) as GraphQLNamedType).find((each) => each.name === name); // the table holds only existing fields
      return field !== undefined && isLeaf(field);
    };
    const unmet = [...rightsToFields.keys()].filter((each) => !isAnswer.test(each) && isLeafOf(each) && !reached.has(each));
    expect(unmet).toEqual([]);
  });

  test('needs a row: a gateway with a missing row, or a row for an unknown field, does not start (P15)', () => {
    const without = (coordinate: string) => new Map([...rightsToFields].filter(([each]) => each !== coordinate));
    for (const coordinate of rightsToFields.keys()) expect(() => guardFields(schema, without(coordinate))).toThrow(coordinate);
    expect(() => guardFields(schema, new Map([...rightsToFields, ['Job.secret', 'readJobs']]))).toThrow('Job.secret');
  });

  test('has a stand-in, or is refused, if a key may read the object but not the field', () => {
    const shown = (coordinate: string) => {
      const [type = '', name = ''] = coordinate.split('.');
      const field = fieldsOf(schema.getType(type) as GraphQLNamedType).find((each) => each.name === name); // the table holds only existing fields
      return field && JSON.stringify(standIn(field.type));
    };
    expect(['Project.gitRepository', 'EnvironmentVariable.value', 'Container.properties', 'Project.pipeline'].map(shown)).toEqual([
      'null',
      '"***"',
      '{}',
      undefined,
    ]);
    expect([...rightsToFields].filter(([, right]) => !isForEveryone(right)).length).toBeGreaterThan(40);
  });
});
