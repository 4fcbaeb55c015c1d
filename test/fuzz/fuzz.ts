/**
 * The fuzzer: a number of operations and texts of every kind. `npm test` runs it briefly, `npm run
 * test:long` ten times as long.
 */
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { buildWorld } from '../e2e/world.ts';
import { describeOnEachStore } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { ask } from './asking.ts';
import { Choices, decisions, seed } from './choices.ts';
import { type Asking, damage, type Kind, rootFields, writeOperation } from './documents.ts';
import { inspected, openHeap } from './heap.ts';
import { type Known, knownOf } from './inputs.ts';

/** Mutations that end things, or the key itself, come last: the others would find nothing. */
const ends = /^(delete|cancel|revoke|rotate)/;

/** A case that fails by hanging is shrunk for at most `withinMs`. */
export function fuzz(runs: number, withinMs: number): void {
  describeOnEachStore('A gateway', (_, create) => {
    let gateway: Gateway;
    let known: Known;
    const seen = new Set<string>();
    beforeAll(async () => {
      gateway = await startGateway({ database: await create(), env: inspected, flags: ['--key-rate', 'off'] });
      known = knownOf(await buildWorld(gateway));
      return () => gateway.stop();
    });

    /**
     * `make` writes a request from fast-check's decisions. A failing one is shrunk and printed with
     * its seed.
     */
    const check = (count: number, make: (choices: Choices) => Asking) =>
      fc.assert(
        fc.asyncProperty(
          decisions().map((numbers) => make(new Choices(numbers))),
          async (asking) => {
            const { outcome } = await ask(gateway, asking);
            seen.add(`${/\{ (?:a0: )?(\w+)/.exec(asking.query)?.[1]} ${outcome}`);
          },
        ),
        {
          seed,
          numRuns: Math.ceil(count),
          interruptAfterTimeLimit: withinMs,
          markInterruptAsFailure: true,
        },
      );
    const pickField = (choices: Choices, kind: Kind, isEnd: boolean) => {
      const fields = rootFields(kind).filter(({ name }) => ends.test(name) === isEnd);
      const field = fields[choices.number(fields.length)];
      if (!field) throw new Error(`There is no ${kind}.`);
      return field;
    };
    const operation =
      (kind: Kind, isEnd = false) =>
      (choices: Choices) =>
        writeOperation(choices, known, kind, pickField(choices, kind, isEnd));

    test('answers any query with data or a typed refusal (P14)', () => check(runs, operation('query')));
    test('answers any mutation with data or a typed refusal (P14)', () => check(runs, operation('mutation')));

    test('answers any subscription with a frame or a typed refusal (P14)', () =>
      check(runs / 4, (choices) => {
        // A live list of jobs without any job sends nothing.
        const fields = rootFields('subscription').filter(({ name }) => name !== 'jobsUpdated');
        const field = fields[choices.number(fields.length)] ?? pickField(choices, 'subscription', false);
        return writeOperation(choices, known, 'subscription', field);
      }));

    test('answers damaged documents with data or a typed refusal (P14)', () =>
      check(runs, (choices) => damage(operation(choices.pick(['query', 'mutation']))(choices), choices)));

    test('answers any text with a typed refusal (P14)', () =>
      fc.assert(
        fc.asyncProperty(
          fc.string({ unit: 'binary', maxLength: 2_000 }),
          fc.dictionary(fc.string(), fc.jsonValue()),
          async (query, variables) => {
            // The text may happen to be a valid document.
            await ask(gateway, { query, variables });
          },
        ),
        { seed, numRuns: runs / 2 },
      ));

    test('answers variables of any shape with data or a typed refusal (P14)', () =>
      fc.assert(
        fc.asyncProperty(
          decisions(100),
          fc.anything({ maxDepth: 4, withNullPrototype: false }),
          fc.jsonValue(),
          async (numbers, anything, json) => {
            const choices = new Choices(numbers);
            const { query, variables } = operation(choices.pick(['query', 'mutation']))(choices);
            const other = choices.chance(50) ? json : writable(anything);
            const names = Object.keys(variables);
            await ask(gateway, { query, variables: { ...variables, [names[choices.number(names.length)] ?? 'v0']: other } });
          },
        ),
        { seed, numRuns: runs / 2 },
      ));

    test('does not grow when the same requests repeat, or when each request is new rubbish (P14)', async () => {
      const heap = await openHeap(gateway);
      const again = fc.sample(decisions(), { seed, numRuns: 60 }).map((numbers) => operation('query')(new Choices(numbers)));
      const round = async (number: number) => {
        for (const asking of again) await ask(gateway, asking);
        const texts = fc.sample(rubbish, { seed: seed + number, numRuns: 60 });
        for (const query of texts) await ask(gateway, { query, variables: {} });
      };
      // Documents are cached, and compiled when they come again.
      for (let i = 0; i < 3; i++) await round(i);
      const before = await heap.usedMb();
      for (let i = 3; i < 6; i++) await round(i);
      expect((await heap.usedMb()) - before).toBeLessThan(8);
      heap.close();
    });

    test('answers mutations that delete, cancel, revoke or rotate with data or a typed refusal, and serves on (P14)', async () => {
      await check(runs / 4, operation('mutation', true));
      expect(await ask(gateway, { query: '{ viewer { name } }', variables: {} })).toEqual({ status: 200, outcome: 'data' });
      // The requests were not merely refused for their shape.
      expect([...seen].filter((outcome) => outcome.endsWith(' data')).length).toBeGreaterThan(30);
    });
  });
}

const rubbish = fc.string({ unit: 'binary', maxLength: 500 });

/** A value that JSON can carry: BigInts as text, undefined as null, the rest by JSON's rules. */
function writable(value: unknown): unknown {
  const text = JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner));
  return text === undefined ? null : JSON.parse(text);
}
