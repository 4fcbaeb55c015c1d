/**
 * Endless new documents, each valid and within its cost: what the gateway compiles and remembers is
 * bounded (P9, P14).
 */
import { beforeEach, expect, test } from 'vitest';
import { createSqliteDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { canMeasureStrain, strain } from '../support/strain.ts';

let gateway: Gateway;
beforeEach(async () => {
  const database = await createSqliteDatabase();
  gateway = await startGateway({ database, flags: ['--key-rate', 'off'] });
  return async () => {
    await gateway.stop();
    await database.remove();
  };
});

const MOST_MB = 600;
/** A calm gateway answers within milliseconds. Other tests may run beside it. */
const MOST_MS = 250;
const MOST_TIMES_CALM = 10;

async function ask(query: string, variables = {}): Promise<void> {
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${gateway.adminKey}` },
    body: JSON.stringify({ query, variables }),
  });
  await response.arrayBuffer();
  expect(response.status).toBe(200);
}

/** About 1.2 kB, from which graphql-jit would generate some 770 fields. */
const wide = (i: number) => {
  const asked = (j: number) =>
    `a${j}: node(id: "x${i}") { id ... on Job { id name status } ... on Device { id name } ... on Project { name } }`;
  return `query Q${i} { ${Array.from({ length: 12 }, (_, j) => asked(j)).join(' ')} }`;
};
/** As many fields as are still compiled. */
const compilable = (i: number) => {
  const asked = (j: number) => `a${j}: node(id: "x${i}") { id ... on Job { id name status } ... on Device { id name } }`;
  return `query Q${i} { ${Array.from({ length: 6 }, (_, j) => asked(j)).join(' ')} }`;
};
/** A document of the maximum length with the maximum number of fields to compare. */
const long = (i: number) => `query Q${i} { viewer { ${'kind name '.repeat(140)} } } #${'x'.repeat(30_000)}`;
/** Its variables are refused at each size, and every refusal is cached. */
const priced = (i: number) => `query Q${i}($n: Int!) { jobs(first: $n) { nodes { id } } }`;

const attacks: [name: string, documents: number, times: number, make: (i: number) => string, variables?: (i: number) => object][] = [
  ['of 1.2 kB each, sent twice', 1_100, 2, wide],
  ['small enough to be compiled, sent often', 600, 12, compilable],
  ['as long as they may be', 400, 2, long],
  ['whose costs differ by their variables', 200, 20, priced, (i) => ({ n: 1_000 + i })],
];

test.runIf(canMeasureStrain).each(attacks)(
  'Distinct valid documents %s take neither the memory nor the others’ time (P9, P14)',
  // Other tests on the machine may slow a client once. The fault slows it each time.
  { retry: 2 },
  async (_, documents, times, make, variables = () => ({})) => {
    const calm = await strain(gateway, (client) => client.answered(300));
    let next = 0;
    const send = async () => {
      for (let i = next++; i < documents; i = next++) for (let time = 0; time < times; time++) await ask(make(i), variables(time));
    };
    const attacked = await strain(gateway, () => Promise.all([send(), send(), send(), send()]));
    expect(attacked.mostMb).toBeLessThan(MOST_MB);
    expect(attacked.p99Ms).toBeLessThan(Math.max(MOST_MS, MOST_TIMES_CALM * calm.p99Ms));
  },
);
