import { type ExecutionResult, graphql, parse } from 'graphql';
import { compileQuery, isCompiledQuery } from 'graphql-jit';
import { beforeEach, expect, test } from 'vitest';
import { appendLog } from '../../../src/domain/claims/progress.ts';
import { Wakeups } from '../../../src/realtime/wakeups.ts';
import { createContext } from '../../../src/schema/core/context.ts';
import { schema } from '../../../src/schema/index.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed } from '../../support/seed.ts';

const allowed = 20_000;
const tooLarge = { code: 'LIMIT_EXCEEDED', limit: 'answerBytes', allowed, asked: null };

describeOnEachStore('an answer', (open) => {
  let seed: Seed;

  beforeEach(async () => {
    seed = await plantSeed(await open());
  });

  /** The errors, which both engines word alike; an empty list means an answer. */
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
    expect(await refusalsOf(ask('a: stateDict { tensors { name } } b: stateDict { metadata } c: stateDict { metadata }'))).toContainEqual(
      tooLarge,
    );
  });

  test('holds more steps than its cost assumed, up to its allowance', async () => {
    const { job: few } = await seed.createJob(10);
    const { job: many } = await seed.createJob(40);
    const ask = (id: string) => `{ job(id: "${id}") { steps { number } } }`;
    expect(await refusalsOf(ask(few.id), 0)).toEqual([]);
    expect(await refusalsOf(ask(many.id), 40_000)).toEqual([]);
    expect(await refusalsOf(ask(many.id))).toEqual([tooLarge]);
  });
});

function compiled(source: string) {
  const made = compileQuery(schema, parse(source));
  if (!isCompiledQuery(made)) throw new Error('graphql-jit cannot compile it.');
  return made;
}
