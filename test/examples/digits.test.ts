/** Runs examples/digits as a user would, on a gateway with an agent, with little to learn. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPython, unlessPython } from '../python/interpreters.ts';
import { type Ran, runPython } from '../python/running.ts';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';

const folder = fileURLToPath(new URL('../../examples/digits/', import.meta.url));

let database: TestDatabase;
let gateway: Gateway;
beforeAll(async () => {
  if (!hasPython) return;
  database = await createSqliteDatabase();
  gateway = await startGateway({ database, command: 'up' });
});
afterAll(async () => {
  // Its agent ends with it.
  await gateway?.kill('SIGTERM');
  await database?.remove();
});

function runExample(...settings: string[]): Promise<Ran> {
  const env = { TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: gateway.adminKey };
  return runPython(['run.py', ...settings], { cwd: folder, env });
}

const hashOf = ({ output }: Ran) => /^model\.safetensors .* ([0-9a-f]{64})$/m.exec(output)?.[1];

describe.skipIf(!hasPython)(`The digits example${unlessPython}`, () => {
  test('learns to read more than 85 of 100 unseen digits, and shows its log, curves and files', async () => {
    const { exitCode, output } = await runExample('--epochs', '2', '--train_digits', '4000', '--seed', '7');
    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/^8000 to train with$/m);
    expect(output).toMatch(/^epoch 2\/2: loss /m);
    expect(output).toMatch(/^<Curve 'loss' █▁ 2 points>$/m);
    expect(output).toMatch(/^<Curve 'accuracy' ▁█ 2 points>$/m);
    // Header, then one record of a label and 14 × 14 pixels for each digit.
    expect(output).toMatch(/^train\.digits +DATA +1,576,008 bytes/m);
    expect(output).toMatch(/^test\.digits +DATA +394,008 bytes/m);
    expect(Number(/^test accuracy (0\.\d+) on 2000 digits/m.exec(output)?.[1])).toBeGreaterThan(0.85);
  });

  test('makes the same model of the same seed, byte for byte', { timeout: 240_000 }, async () => {
    const train = () => runExample('--epochs', '1', '--train_digits', '400', '--min_accuracy', '0', '--seed', '7');
    const first = hashOf(await train());
    expect(first).toBeDefined();
    expect(hashOf(await train())).toBe(first);
  });
});
