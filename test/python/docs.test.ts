/** Runs the examples of docs/python.md in their order, and compares what they print. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { createFolder, removeFolder } from '../support/folders.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { hasPython, unlessPython } from './interpreters.ts';
import { runPython } from './running.ts';

const page = readFileSync(fileURLToPath(new URL('../../docs/python.md', import.meta.url)), 'utf8');
const examples = page.split(/^## /m).flatMap((section) => {
  const title = section.split('\n', 1)[0] ?? '';
  return [...section.matchAll(/^```python\n([\s\S]*?)^```\n(?:\n```text\n([\s\S]*?)^```\n)?/gm)].map(([, code = '', output], i) => ({
    name: `${title} ${i + 1}`,
    code,
    output,
  }));
});

let database: TestDatabase;
let gateway: Gateway;
let folder: string;
beforeAll(async () => {
  if (!hasPython) return;
  database = await createSqliteDatabase();
  gateway = await startGateway({ database, command: 'up' });
  folder = createFolder('python-docs');
});
afterAll(async () => {
  // Its agent ends with it.
  await gateway?.kill('SIGTERM');
  await database?.remove();
  if (folder) removeFolder(folder);
});

describe.skipIf(!hasPython)(`docs/python.md${unlessPython}`, () => {
  test('has an output for every example', () => {
    expect(examples.length).toBeGreaterThan(5);
    expect(examples.filter(({ output }) => output === undefined)).toEqual([]);
  });

  test.each(examples)('shows what the example "$name" prints', async ({ code, output }) => {
    const env = { TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: gateway.adminKey, TRAINYARD_STATE_DIR: `${folder}/state` };
    const ran = await runPython(['-W', 'error', '-c', code], { cwd: folder, env });
    expect(ran).toEqual({ exitCode: 0, output });
  });
});
