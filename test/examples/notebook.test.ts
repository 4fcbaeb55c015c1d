/** Runs examples/notebook against a gateway, and compares what its README shows. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { hasPython, unlessPython } from '../python/interpreters.ts';
import { runPython } from '../python/running.ts';
import { createSqliteDatabase } from '../support/databases.ts';
import { startGateway } from '../support/gateway.ts';

const folder = fileURLToPath(new URL('../../examples/notebook/', import.meta.url));

describe.skipIf(!hasPython)(`The notebook example${unlessPython}`, () => {
  test('logs from outside of a step, watches, and prints what its README shows', async () => {
    const database = await createSqliteDatabase();
    const gateway = await startGateway({ database });
    try {
      const env = { TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: gateway.adminKey, TRAINYARD_STATE_DIR: `${database.folder}/state` };
      const ran = await runPython(['learning_rates.py'], { cwd: folder, env });
      const shown = /^```text\n([\s\S]*?)^```/m.exec(readFileSync(`${folder}README.md`, 'utf8'))?.[1];
      expect(ran).toEqual({ exitCode: 0, output: shown });
    } finally {
      await gateway.stop();
      await database.remove();
    }
  });
});
