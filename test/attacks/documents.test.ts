/** The corpus of attack documents, over every transport, against a gateway process. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { createSqliteDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { attacks, misspelt, type Outcome } from './documents.ts';
import { type Answer, type Document, type Transport, transports } from './transports.ts';

/** No attack takes a tenth of this, but the machine may be busy. */
const WITHIN_MS = 3_000;

let gateway: Gateway;
beforeAll(async () => {
  const database = await createSqliteDatabase();
  gateway = await startGateway({ database, flags: ['--key-rate', 'off', '--stranger-rate', 'off'] });
  return async () => {
    await gateway.stop();
    await database.remove();
  };
});

function outcomeOf({ data, errors = [] }: Answer): Outcome {
  const limit = errors.find(({ extensions }) => extensions.code === 'LIMIT_EXCEEDED')?.extensions.limit;
  if (limit !== undefined) return limit as Outcome; // compared below
  const [code] = new Set(errors.map(({ extensions }) => extensions.code));
  return code === undefined && data ? 'data' : (code as Outcome); // compared below
}

async function attack(transport: Transport, document: Document): Promise<Answer> {
  const started = performance.now();
  const answer = await transport.ask(gateway, document);
  expect(performance.now() - started).toBeLessThan(WITHIN_MS);
  return answer;
}

/** Texts that no refusal may contain. */
const LEAKS = /Did you mean|\bat .+:\d+:\d+|node_modules|\/src\/|sqlite|select .* from |Cannot read|undefined is not|Maximum call stack/i;

describe.each(transports.map((transport) => [transport.name, transport] as const))('Over %s', (_, transport) => {
  test.each(
    attacks.filter((document) => transport.takes(document)).map(({ name, outcome, ...document }) => [name, outcome, document] as const),
  )('%s: %s (P14)', async (_name, outcome, document) => {
    const answer = await attack(transport, document);
    expect(outcomeOf(answer), JSON.stringify(answer).slice(0, 500)).toBe(outcome);
    for (const { message } of answer.errors ?? []) expect(message).not.toMatch(LEAKS);
    for (const { extensions } of answer.errors ?? [])
      if (extensions.code === 'LIMIT_EXCEEDED') expect(extensions.allowed).toBeGreaterThan(0);
    // The gateway serves on.
    expect(
      await transport.ask(gateway, { query: transport.name === 'POST' ? 'query { viewer { kind } }' : '{ viewer { kind } }' }),
    ).toMatchObject({
      data: { viewer: { kind: 'USER' } },
    });
  });

  test.each(misspelt.filter((document) => transport.takes(document)).map(({ query, secret }) => [query, secret] as const))(
    'the refusal of %s does not mention %s',
    async (query, secret) => {
      const { data, errors = [] } = await attack(transport, { query });
      expect(data ?? null).toBe(null);
      expect(errors.length).toBeGreaterThan(0);
      for (const { message, extensions } of errors) {
        expect(extensions.code).toBe('BAD_REQUEST');
        expect(message).not.toMatch(LEAKS);
        expect(message.replaceAll(query, '')).not.toContain(secret);
      }
    },
  );
});

test('a caller without a key learns from any document only that a key is needed (P15)', async () => {
  for (const { query } of [...attacks, ...misspelt, { query: '{ __schema { types { name } } }' }]) {
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({
      errors: [{ message: expect.stringContaining('Send a valid key'), extensions: { code: 'UNAUTHENTICATED' } }],
    });
  }
});

test.runIf(process.platform === 'linux')('repeating all documents does not make the gateway grow (P14)', async () => {
  const residentMb = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${gateway.pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024;
  const [post] = transports;
  const round = async () => {
    for (const document of attacks) if (post?.takes(document)) await post.ask(gateway, document);
  };
  for (let i = 0; i < 2; i++) await round();
  const before = residentMb();
  for (let i = 0; i < 4; i++) await round();
  expect(residentMb() - before).toBeLessThan(80);
});
