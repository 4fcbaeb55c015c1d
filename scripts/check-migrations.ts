/**
 * Fails if src/store/schema and the generated migrations differ.
 *
 * drizzle-kit has no such check, so it generates into copies of both folders and the script looks
 * for a new migration.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const databases = [
  { folder: 'sqlite', dialect: 'sqlite' },
  { folder: 'postgres', dialect: 'postgresql' },
];

function check({ folder, dialect }: (typeof databases)[number]): boolean {
  const copy = mkdtempSync(join(tmpdir(), 'trainyard-migrations-'));
  try {
    cpSync(join(root, 'drizzle', folder), copy, { recursive: true });
    const before = readdirSync(copy).length;
    const options = [
      '--dialect',
      dialect,
      '--schema',
      `./src/store/schema/${folder}.ts`,
      '--out',
      relative(root, copy),
      '--casing',
      'snake_case',
    ];
    // There is no terminal: a question (was this renamed?) counts as a difference.
    const run = spawnSync(join(root, 'node_modules/.bin/drizzle-kit'), ['generate', ...options], {
      cwd: root,
      encoding: 'utf8',
      input: '',
    });
    const isCurrent = run.status === 0 && /nothing to migrate/.test(run.stdout) && readdirSync(copy).length === before;
    if (!isCurrent) console.error(`drizzle/${folder} does not match src/store/schema: run \`npm run db:generate\`.`);
    if (run.status !== 0) console.error(run.stdout, run.stderr);
    return isCurrent;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const results = databases.map(check);
if (results.includes(false)) process.exitCode = 1;
