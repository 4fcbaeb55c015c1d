/**
 * Every rule of graphql-schema-linter: Relay's connections, names, descriptions, deprecation
 * reasons, order.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { createFolder, removeFolder } from '../support/folders.ts';

const linter = fileURLToPath(new URL('../../node_modules/graphql-schema-linter/', import.meta.url));
const schema = fileURLToPath(new URL('../../schema.graphql', import.meta.url));
/** All its rules, from the names of their files, so that rules of a later version are included. */
const rules = readdirSync(join(linter, 'lib/rules')).map((name) => name.replace('.js', '').replaceAll('_', '-'));

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) removeFolder(folder);
});

interface Finding {
  readonly rule: string;
  readonly message: string;
}

function lint(file: string): Finding[] {
  const options = ['--format', 'json', '--rules', rules.join(',')];
  const { stdout, stderr } = spawnSync(process.execPath, [join(linter, 'lib/cli.js'), ...options, file], { encoding: 'utf8' });
  if (!stdout.startsWith('{')) throw new Error(`${stdout}${stderr}`);
  return (JSON.parse(stdout) as { errors: Finding[] }).errors; // its format
}

test('the schema keeps every rule of graphql-schema-linter without exception', () => {
  expect(rules).toEqual(expect.arrayContaining(['relay-connection-types-spec', 'relay-connection-arguments-spec', 'relay-page-info-spec']));
  expect(rules.length).toBeGreaterThanOrEqual(19);
  expect(lint(schema)).toEqual([]);
});

test('graphql-schema-linter reports a schema that breaks its rules', () => {
  const folder = createFolder('schema');
  folders.push(folder);
  const file = join(folder, 'broken.graphql');
  writeFileSync(file, 'type Query { jobs(first: Int): JobConnection! }\ntype JobConnection { page: Int }\n');
  const found = new Set(lint(file).map(({ rule }) => rule));
  expect([...found].sort()).toEqual([
    'arguments-have-descriptions',
    'fields-have-descriptions',
    'relay-connection-arguments-spec',
    'relay-connection-types-spec',
    'relay-page-info-spec',
    'types-have-descriptions',
  ]);
});
