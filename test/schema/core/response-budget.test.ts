import { type ExecutionResult, graphql, parse } from 'graphql';
import { compileQuery, isCompiledQuery } from 'graphql-jit';
import { beforeEach, expect, test } from 'vitest';
import { appendLog } from '../../../src/domain/claims/progress.ts';
import { createApplication } from '../../../src/domain/jobs/applications.ts';
import { createProject } from '../../../src/domain/jobs/projects.ts';
import { Wakeups } from '../../../src/realtime/wakeups.ts';
import { createContext } from '../../../src/schema/core/context.ts';
import { schema } from '../../../src/schema/index.ts';
import type { Queries, Store } from '../../../src/store/store.ts';
import { JsonText, stringify } from '../../../src/text/json-text.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed } from '../../support/seed.ts';

const allowed = 20_000;
const tooLarge = { code: 'LIMIT_EXCEEDED', limit: 'answerBytes', allowed, asked: null };

describeOnEachStore('an answer', (open) => {
  let seed: Seed;

  beforeEach(async () => {
    seed = await plantSeed(await open());
  });

  /**
   * The errors, which both engines word alike; an empty list means an answer. Fields are read at
   * the same time, so a query here has one field that can be refused, or several that are alike.
   */
  async function refusalsOf(source: string, answerBytes = allowed): Promise<unknown[]> {
    const context = () =>
      createContext({ domain: seed.domain, wakeups: new Wakeups(seed.domain.store), serverLimits: { answerBytes } }, admin);
    const interpreted = await graphql({ schema, source, contextValue: context() });
    const { query } = compiled(source);
    const extensionsOf = ({ errors }: ExecutionResult) => (errors ?? []).map(({ extensions }) => extensions);
    const found = extensionsOf(interpreted);
    expect(extensionsOf(await query(undefined, context(), {}))).toEqual(found);
    return found;
  }

  test('holds documents up to its allowance, counted over all aliases', async () => {
    const { job } = await seed.createJob(1, { settings: { notes: 'x'.repeat(9_000) } });
    const ask = (...names: string[]) => `{ job(id: "${job.id}") { ${names.map((name) => `${name}: settings`).join(' ')} } }`;
    expect(await refusalsOf(ask('a', 'b'))).toEqual([]);
    expect(await refusalsOf(ask('a', 'b', 'c'))).toEqual([tooLarge]);
  });

  test('does not count short documents', async () => {
    const { job } = await seed.createJob(1, { settings: { notes: 'x'.repeat(900) } });
    expect(await refusalsOf(`{ job(id: "${job.id}") { a: settings b: settings c: settings } }`, 2_000)).toEqual([]);
  });

  test('holds pages and tails of logs up to its allowance', async () => {
    const { job } = await seed.createJob();
    const { lease } = await seed.claim(job);
    const chunk = { stream: 'STDOUT' as const, text: 'x'.repeat(9_000) };
    await appendLog(seed.domain, admin, { leaseToken: lease.token, chunks: [0, 1, 2].map((i) => ({ ...chunk, offset: i * 9_000 })) });
    const ask = (fields: string) => `{ job(id: "${job.id}") { step(number: 0) { ${fields} } } }`;
    expect(await refusalsOf(ask('log(first: 2) { chunks { text } }'))).toEqual([]);
    expect(await refusalsOf(ask('log(first: 3) { chunks { text } }'))).toEqual([tooLarge]);
    expect(await refusalsOf(ask('logTail(lines: 1)'), 27_000)).toEqual([]);
    expect(await refusalsOf(ask('logTail(lines: 1)'))).toEqual([tooLarge]);
    for (const field of ['logEnd(lines: 1) { chunks { text } }', 'logSearch(text: "y") { matches { text } }']) {
      expect(await refusalsOf(ask(field), 27_000), field).toEqual([]);
      expect(await refusalsOf(ask(field)), field).toEqual([tooLarge]);
    }
  });

  test('holds texts of files and headers of models up to its allowance', async () => {
    const { job } = await seed.createJob();
    const header = JSON.stringify({ __metadata__: { notes: 'x'.repeat(9_000) } });
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const source = `mutation ($input: CreateFragmentInput!) { createFragment(input: $input) { __typename } }`;
    const input = { jobId: job.id, filename: 'm.safetensors', type: 'MODEL', text: `${length}${header}` };
    const contextValue = createContext({ domain: seed.domain, wakeups: new Wakeups(seed.domain.store) }, admin);
    await graphql({ schema, source, contextValue, variableValues: { input } });
    const ask = (fields: string) => `{ job(id: "${job.id}") { latestFragment(filename: "m.safetensors") { ${fields} } } }`;
    expect(await refusalsOf(ask('a: text b: text'))).toEqual([]);
    expect(await refusalsOf(ask('a: text b: text c: text'))).toEqual([tooLarge]);
    expect(await refusalsOf(ask('a: stateDict { tensors { name } } b: stateDict { tensors { name } }'))).toEqual([]);
    expect(await refusalsOf(ask('a: stateDict { __typename } b: stateDict { __typename } c: stateDict { __typename }'))).toEqual([
      tooLarge,
    ]);
    // The metadata counts when its header is read, and again as a document of the answer.
    expect(await refusalsOf(ask('stateDict { metadata }'))).toEqual([]);
    expect(await refusalsOf(ask('stateDict { metadata }'), 15_000)).toEqual([{ ...tooLarge, allowed: 15_000 }]);
  });

  test('holds more steps than its cost assumed, up to its allowance', async () => {
    const { job: few } = await seed.createJob(10);
    const { job: many } = await seed.createJob(40);
    const ask = (id: string) => `{ job(id: "${id}") { steps { number } } }`;
    expect(await refusalsOf(ask(few.id), 0)).toEqual([]);
    expect(await refusalsOf(ask(many.id), 40_000)).toEqual([]);
    expect(await refusalsOf(ask(many.id))).toEqual([tooLarge]);
  });

  test('leaves documents the text that is stored, where it is asked to', async () => {
    const { job } = await seed.createJob(1, { settings: { depth: 3, rate: 0.5 } });
    const source = `{ job(id: "${job.id}") { settings container { image } } jobs { nodes { settings output } } }`;
    const parts = { domain: seed.domain, wakeups: new Wakeups(seed.domain.store) };
    const asTexts = await graphql({ schema, source, contextValue: createContext(parts, admin, { areTexts: true }) });
    expect(asTexts.data?.job).toEqual({ settings: new JsonText('{"depth":3,"rate":0.5}'), container: null });
    const parsed = await graphql({ schema, source, contextValue: createContext(parts, admin) });
    expect(JSON.parse(stringify(asTexts))).toEqual(parsed);
  });

  /** The names of the statements that are run for it. */
  async function statementsOf(source: string): Promise<string[]> {
    const names: string[] = [];
    const { store } = seed.domain;
    const read: Queries = {
      db: store.read.db,
      t: store.read.t,
      dialect: store.read.dialect,
      run(query, values) {
        names.push(query.name);
        return store.read.run(query, values);
      },
      runUnnamed: (build) => store.read.runUnnamed(build),
    };
    const domain = { ...seed.domain, store: Object.create(store, { read: { value: read } }) as Store };
    const context = createContext({ domain, wakeups: new Wakeups(store), serverLimits: { answerBytes: allowed } }, admin);
    const { errors } = await graphql({ schema, source, contextValue: context });
    expect(errors?.[0]?.extensions).toEqual(tooLarge);
    return names;
  }

  test('is refused before a row is read whose documents it has no room for', async () => {
    const settings = { notes: 'x'.repeat(9_000) };
    const jobs = [await seed.createJob(1, { settings }), await seed.createJob(1, { settings }), await seed.createJob(1, { settings })];
    const listed = await statementsOf('{ jobs { nodes { settings } } }');
    expect(listed).toEqual([expect.stringMatching(/^sizes \d+ list jobs/)]);
    const ids = jobs.map(({ job }) => `"${job.id}"`).join();
    const byId = await statementsOf(`{ nodes(ids: [${ids}]) { ... on Job { id settings } } }`);
    expect(byId).toEqual([expect.stringMatching(/^sizes \d+ jobs by id/)]);
    // What is not selected takes no room.
    expect(await refusalsOf('{ jobs { nodes { name computeTime { cpuStartedAt } project { name } history { status } } } }')).toEqual([]);
    expect(await refusalsOf(`{ nodes(ids: [${ids}]) { id ... on Job { name } } }`)).toEqual([]);
  });

  test('is refused with the JSON of any list, also where it is parsed for its fields', async () => {
    const properties = { notes: 'x'.repeat(9_000) };
    const container = { build: { context: '.', properties } };
    await createProject(seed.domain, admin, { name: 'Long', pipeline: [{ name: 'Fit', container }] });
    await createApplication(seed.domain, admin, { name: 'Long', settingsSchema: { description: 'x'.repeat(21_000) } });
    for (const list of ['projects', 'applications']) expect(await refusalsOf(`{ ${list} { nodes { id } } }`), list).toEqual([tooLarge]);
  });

  test('reads no more steps of many jobs than it has room for', async () => {
    for (let i = 0; i < 3; i++) await seed.createJob(10);
    const ask = '{ jobs { nodes { steps { number } } } }';
    expect(await refusalsOf(ask, 31_000)).toEqual([]);
    expect(await refusalsOf(ask, 29_000)).toContainEqual({ ...tooLarge, allowed: 29_000 });
  });
});

function compiled(source: string) {
  const made = compileQuery(schema, parse(source));
  if (!isCompiledQuery(made)) throw new Error('graphql-jit cannot compile it.');
  return made;
}
