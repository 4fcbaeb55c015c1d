/**
 * Every kind of key against every field of every type, by every way that leads to it: what is read is what the table of fields says (P15).
 *
 * The walk begins at the root fields and goes on wherever the schema leads, as far as the key is let. Each field of text and numbers is asked where its
 * object is come by; what must not be read holds a word that is then looked for in all that the key was answered.
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
  // Not validated: the documents are made from the schema, and there are thousands.
  return async (source: string): Promise<Answer> =>
    execute({ schema, document: parse(source), contextValue: createContext({ domain: seed.domain, wakeups }, principal) });
}

type Field = GraphQLField<unknown, unknown>;
const isLeaf = (field: Field) => !isCompositeType(getNamedType(field.type));
const fieldsOf = (type: GraphQLNamedType): Field[] => (isObjectType(type) ? Object.values(type.getFields()) : []);

const isNode = (type: GraphQLNamedType) => isObjectType(type) && type.getInterfaces().some(({ name }) => name === 'Node');

/** `Type.field` as it is asked, with the arguments that it needs. */
function asked(type: string, field: Field): string {
  const given = world.args[`${type}.${field.name}`] ?? '';
  if (given === '' && field.args.some(isRequiredArgument)) throw new Error(`${type}.${field.name} needs arguments.`);
  return given === '' ? field.name : `${field.name}(${given})`;
}

/** The types that a field may lead to. */
function typesOf(field: Field): GraphQLNamedType[] {
  const type = getNamedType(field.type);
  return isCompositeType(type) && !isObjectType(type) ? [...schema.getPossibleTypes(type)] : [type];
}

/** A way to an object: from the root, one field in another. */
interface Way {
  readonly type: GraphQLNamedType;
  readonly wrap: (selection: string) => string;
  readonly depth: number;
  /** From the last thing that has an id: what has none is looked at anew wherever it is come by. */
  readonly via: string;
}

const DEEPEST = 6;

/** All that stands under the end of the way: none, where it leads to nothing. */
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

/** Goes wherever the key is let; answers what each field was answered, and all the text of it. */
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
    // What may be read is asked together, what may not one by one: a refusal says nothing of what stands beside it.
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

/** Whether every object at the end of the way was answered what stands in for the field. */
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
  test('is read by who has the right that its row names, and by nobody else, whatever leads to it (P15)', async () => {
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
    // The walk leaves out what a mutation or a subscription answers, and refusals.
    const isAnswer = /^(\w+(Payload|Error|Frame)|InputIssue|Claim|Lease|SecretVariable|IgnoredMetric)\./;
    const isLeafOf = (coordinate: string) => {
      const [typeName = '', name = ''] = coordinate.split('.');
      const field = fieldsOf(schema.getType(typeName) as GraphQLNamedType).find((each) => each.name === name); // the table has no other
      return field !== undefined && isLeaf(field);
    };
    const unmet = [...rightsToFields.keys()].filter((each) => !isAnswer.test(each) && isLeafOf(each) && !reached.has(each));
    expect(unmet).toEqual([]);
  });

  test('needs a row: without one, or with one for a field that is not there, no gateway starts (P15)', () => {
    const without = (coordinate: string) => new Map([...rightsToFields].filter(([each]) => each !== coordinate));
    for (const coordinate of rightsToFields.keys()) expect(() => guardFields(schema, without(coordinate))).toThrow(coordinate);
    expect(() => guardFields(schema, new Map([...rightsToFields, ['Job.secret', 'readJobs']]))).toThrow('Job.secret');
  });

  test('has a stand-in or is refused where a key may read the thing but not the field', () => {
    const shown = (coordinate: string) => {
      const [type = '', name = ''] = coordinate.split('.');
      const field = fieldsOf(schema.getType(type) as GraphQLNamedType).find((each) => each.name === name); // the table has no other
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
