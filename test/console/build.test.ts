import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { consoleFolder } from '../../scripts/console.ts';
import { createFolder } from '../support/folders.ts';

test('a build from the tests is the build that npm ci makes', () => {
  const folder = createFolder();
  const build = `import { buildConsole } from './scripts/console.ts'; await buildConsole(${JSON.stringify(folder)});`;
  execFileSync(process.execPath, ['--input-type=module', '-e', build], { env: { ...process.env, NODE_ENV: 'test' } });
  // A file's name has the hash of what is in it.
  expect(readdirSync(join(folder, 'assets')).sort()).toEqual(readdirSync(join(consoleFolder, 'assets')).sort());
});
