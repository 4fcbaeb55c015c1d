/** Runs the examples of README.md and docs/python.md, and compares what they print. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { createFolder, removeFolder } from '../support/folders.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { hasPython, unlessPython } from './interpreters.ts';
import { runPython } from './running.ts';

const read = (name: string) => readFileSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), 'utf8');
const examplesOf = (page: string) =>
  page.split(/^## /m).flatMap((section) => {
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

const examples = examplesOf(read('docs/python.md'));
const ofReadme = examplesOf(read('README.md'));
const run = (code: string) => {
  const env = { TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: gateway.adminKey, TRAINYARD_STATE_DIR: `${folder}/state` };
  return runPython(['-W', 'error', '-c', code], { cwd: folder, env });
};

describe.skipIf(!hasPython)(`README.md${unlessPython}`, () => {
  test.each(ofReadme)('has a Python example that runs: "$name"', async ({ code }) => {
    expect(await run(code)).toEqual({ exitCode: 0, output: '' });
  });
});

describe.skipIf(!hasPython)(`docs/python.md${unlessPython}`, () => {
  test('has an output for every example', () => {
    expect(examples.length).toBeGreaterThan(5);
    expect(examples.filter(({ output }) => output === undefined)).toEqual([]);
  });

  test.each(examples)('shows what the example "$name" prints', async ({ code, output }) => {
    expect(await run(code)).toEqual({ exitCode: 0, output });
  });
});
