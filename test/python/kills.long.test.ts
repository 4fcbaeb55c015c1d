/** A Python loop that logs, and two subscribers, while the gateway is killed. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { createFolder, removeFolder } from '../support/folders.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { environment, hasPython, unlessPython } from './interpreters.ts';
import { type Ran, runPython } from './running.ts';

const POINTS = 10_000;
const program = (name: string) => fileURLToPath(new URL(name, import.meta.url));

let database: TestDatabase;
let gateway: Gateway;
let folder: string;
beforeAll(async () => {
  if (!hasPython) return;
  database = await createSqliteDatabase();
  gateway = await startGateway({ database, command: 'up', flags: ['--slots', '0'] });
  folder = createFolder('python-kills');
});
afterAll(async () => {
  // Its agent ends with it.
  await gateway?.kill('SIGTERM');
  await database?.remove();
  if (folder) removeFolder(folder);
});

describe.skipIf(!hasPython)(`A Python loop that logs 10,000 points${unlessPython}`, () => {
  test('loses none and is never held up for 50 ms while its gateway is killed three times, and subscribers get each once, in order', async () => {
    const env = { TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: gateway.adminKey, TRAINYARD_STATE_DIR: folder };
    const logger = spawn('python3', [program('logger.py')], { env: { ...environment, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
    const readers: Promise<Ran>[] = [];
    let worstMs = Number.NaN;
    let kills = 0;
    for await (const line of createInterface({ input: logger.stdout })) {
      const [word, value = ''] = line.split(' ');
      if (word === 'job') for (const kind of ['blocking', 'asyncio']) readers.push(runPython([program('reader.py'), value, kind], { env }));
      if (word === 'worst') worstMs = Number(value);
      if (word !== 'at' || kills === 3) continue;
      kills += 1;
      await gateway.restart();
    }
    expect(kills).toBe(3);
    const expected = Array.from({ length: POINTS }, (_, i) => i).join(',');
    for (const reader of await Promise.all(readers)) {
      expect(reader.exitCode, reader.output).toBe(0);
      expect(reader.output.trim().split('\n').at(-1)).toBe(expected);
    }
    expect(worstMs).toBeLessThan(50);
    console.log(`run.log held the loop up for at most ${worstMs} ms.`);
  });
});
