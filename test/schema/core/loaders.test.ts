import { type GraphQLField, getNamedType, isLeafType, isObjectType, isRequiredArgument } from 'graphql';
import { beforeAll, expect, test } from 'vitest';
import type { Domain } from '../../../src/domain/core/domain.ts';
import { createProject } from '../../../src/domain/jobs/projects.ts';
import { schema } from '../../../src/schema/index.ts';
import type { Queries, Store } from '../../../src/store/store.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed } from '../../support/seed.ts';
import { type Ask, askAs } from '../ask.ts';

/** The same domain, and the names of the statements that it runs. */
function listen(domain: Domain): { domain: Domain; statements: string[] } {
  const statements: string[] = [];
  const { store } = domain;
  const read: Queries = {
    db: store.read.db,
    t: store.read.t,
    dialect: store.read.dialect,
    run(query, values) {
      // Without what tells the variants of one statement apart: its columns, and its limit.
      statements.push(query.name.replace(/ [0-9a-f]{16}$/, '').replace(/(x\d+)\/\d+$/, '$1'));
      return store.read.run(query, values);
    },
    runUnnamed(build) {
      statements.push('built for the call');
      return store.read.runUnnamed(build);
    },
  };
  const heard: Store = {
    description: store.description,
    identity: store.identity,
    parent: store.parent,
    secret: store.secret,
    tables: store.tables,
    isFirst: store.isFirst,
    isElected: store.isElected,
    isAlone: () => store.isAlone(),
    isInPlace: () => store.isInPlace(),
    replaced: store.replaced,
    instruments: store.instruments,
    trouble: store.trouble,
    read,
    write: (work) => store.write(work),
    onCommit: (listener) => store.onCommit(listener),
    isUniqueViolation: (error) => store.isUniqueViolation(error),
    isUnstorableText: (error) => store.isUnstorableText(error),
    close: () => store.close(),
  };
  return { domain: { ...domain, store: heard }, statements };
}

describeOnEachStore('reading', (open) => {
  let seed: Seed;
  let ask: Ask;
  let statements: string[];

  beforeAll(async () => {
    seed = await plantSeed(await open());
    for (let i = 0; i < 50; i++) await seed.createJob(4);
    const heard = listen(seed.domain);
    statements = heard.statements;
    ask = askAs(heard.domain, admin);
  });

  test('fifty jobs with their steps and projects takes one statement per kind of row', async () => {
    statements.length = 0;
    const { jobs } = await ask<{ jobs: { nodes: { steps: { number: number }[] }[] } }>(
      '{ jobs(first: 50) { nodes { id name status project { name } steps { id number name status } } } }',
    );
    expect(jobs.nodes.map(({ steps }) => steps.map(({ number }) => number))).toEqual(Array.from({ length: 50 }, () => [0, 1, 2, 3]));
    expect(statements).toHaveLength(3);
    expect(statements.filter((name) => name.endsWith(' x64'))).toHaveLength(1);
  });

  test('one job with its steps takes two prepared statements', async () => {
    const { job } = await seed.createJob(4);
    statements.length = 0;
    await ask('query ($id: ID!) { job(id: $id) { id name status steps { id number name status } } }', { id: job.id });
    expect(statements).toHaveLength(2);
  });

  test('only a total reads no rows, and only rows counts nothing', async () => {
    statements.length = 0;
    await ask('{ jobs { totalCount } }');
    expect(statements).toEqual(['count jobs']);
    statements.length = 0;
    await ask('{ jobs { nodes { id } pageInfo { hasNextPage } } }');
    expect(statements).toEqual(['list jobs']);
  });

  test('after a change within one request shows what the change left', async () => {
    const { job } = await seed.createJob(1);
    const answer = await askAs(seed.domain, admin)<Record<string, object>>(
      `mutation ($id: ID!) {
        one: updateJob(input: { jobId: $id, name: "First" }) { ... on UpdateJobPayload { job { name project { jobs(filter: { name: "First" }) { totalCount } } } } }
        two: updateJob(input: { jobId: $id, name: "Second" }) { ... on UpdateJobPayload { job { name project { jobs(filter: { name: "First" }) { totalCount } } } } }
        three: cancelJob(input: { jobId: $id }) { ... on CancelJobPayload { job { status steps { status job { name status } } } } }
      }`,
      { id: job.id },
    );
    expect(answer).toMatchObject({
      one: { job: { name: 'First', project: { jobs: { totalCount: 1 } } } },
      two: { job: { name: 'Second', project: { jobs: { totalCount: 0 } } } },
      three: { job: { status: 'CANCELLED', steps: [{ status: 'SKIPPED', job: { name: 'Second', status: 'CANCELLED' } }] } },
    });
  });

  test('by invalid ids finds nothing', async () => {
    const fields = ['project', 'job', 'step', 'device', 'fragment', 'node'];
    for (const id of ['', 'x', '\0', `job_${'z'.repeat(26)}`, 'é'.repeat(300)]) {
      const answer = await ask(`query ($id: ID!) { ${fields.map((field) => `${field}(id: $id) { id }`).join(' ')} }`, { id });
      expect(answer).toEqual(Object.fromEntries(fields.map((field) => [field, null])));
    }
  });

  /** What is read for each parent by itself, and why. */
  const alone: Readonly<Record<string, string>> = {
    'Job.telemetry': 'a curve is read in pages, with turns of the event loop between them',
    'Job.metricSeries': 'the same',
    'Job.metricCurves': 'the same',
    'Step.log': 'a page is bounded by the bytes of its own rows',
    'Step.logTail': 'the same',
    'Step.logEnd': 'the same',
    'Step.logFrom': 'the same, and its line is looked for in its own log',
    'Step.logSearch': 'a log is searched a little at a time, with turns of the event loop between',
    'Job.events': 'the same',
  };
  const given: Readonly<Record<string, string>> = {
    filename: '"model"',
    name: '"loss"',
    number: '0',
    attempt: '1',
    line: '1',
    text: '"loss"',
    dialect: 'VERGEAI',
  };
  /** The field with the leaves of what it shows. Null: it is one of a type that has no leaf. */
  function select(field: GraphQLField<unknown, unknown>): string | null {
    const args = field.args.filter(isRequiredArgument).map(({ name }) => `${name}: ${given[name]}`);
    const named = getNamedType(field.type);
    const call = args.length > 0 ? `${field.name}(${args.join(', ')})` : field.name;
    if (isLeafType(named)) return call;
    if (!isObjectType(named)) return null;
    const leaves = Object.values(named.getFields()).filter((inner) => isLeafType(getNamedType(inner.type)) && inner.args.length === 0);
    return `${call} { __typename ${leaves.map(({ name }) => name).join(' ')} }`;
  }
  const fieldsOf = (name: string) => {
    const type = schema.getType(name);
    if (!isObjectType(type)) throw new Error(`${name} is no object type.`);
    // A page of each parent is read by itself: what it costs is told by its size.
    return Object.values(type.getFields()).filter(({ args }) => !args.some((arg) => arg.name === 'first'));
  };

  test.each([
    ['Job', (field: string) => field],
    ['Step', (field: string) => `steps { ${field} }`],
  ])('each field of a %s takes no more statements for fifty parents than for a few', async (type, inside) => {
    const statementsFor = async (first: number, field: string) => {
      statements.length = 0;
      await ask(`{ jobs(first: ${first}) { nodes { id ${inside(field)} } } }`);
      return [...statements];
    };
    const many: string[] = [];
    for (const field of fieldsOf(type)) {
      const selection = select(field);
      if (selection === null || `${type}.${field.name}` in alone) continue;
      const few = await statementsFor(2, selection);
      const all = await statementsFor(50, selection);
      // Those for many keys are asked for 64 at a time, and 50 jobs have 200 steps.
      if (all.length > few.length + 3 * new Set(few).size) many.push(`${field.name}: ${few.length} and ${all.length}`);
    }
    expect(many).toEqual([]);
  });

  test('why steps are not claimed takes as many statements for a hundred steps and sixty devices as for one of each', async () => {
    const { project } = await createProject(seed.domain, admin, { name: 'Waiting' });
    const projectId = project.id;
    await seed.createJob([{ name: 'large', resources: { gpu: 8 } }], { projectId });
    const query = `{ jobs(first: 100, filter: { projectId: "${projectId}", statuses: [QUEUED] }) {
      nodes { steps { whyNot { requirement } again: whyNot { device { name } } } } } }`;
    await seed.registerDevice({ projectId });
    statements.length = 0;
    await ask(query);
    const kinds = new Set(statements.map((name) => name.replace(/ x\d+$/, '')));
    for (let i = 0; i < 59; i++) await seed.registerDevice({ projectId });
    for (let i = 0; i < 99; i++) await seed.createJob([{ name: 'large', resources: { gpu: 8 + (i % 30) } }], { projectId });
    statements.length = 0;
    const { jobs } = await ask<{ jobs: { nodes: { steps: { whyNot: unknown[] }[] }[] } }>(query);
    expect(jobs.nodes.flatMap(({ steps }) => steps.flatMap(({ whyNot }) => whyNot)).length).toBe(6_000);
    expect(new Set(statements.map((name) => name.replace(/ x\d+$/, '')))).toEqual(kinds);
    // Statements for many keys take 64 at a time.
    expect(statements.length).toBeLessThanOrEqual(2 * kinds.size);
  });
});
