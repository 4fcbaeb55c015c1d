/**
 * Ends with 1 if src/store/schema says something that the generated migrations do not.
 *
 * Lets drizzle-kit generate into copies of both folders and looks whether anything came of it; it has no such check of its own.
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
    // No terminal: what it would ask (was this renamed?) is a difference, too.
    const run = spawnSync(join(root, 'node_modules/.bin/drizzle-kit'), ['generate', ...options], {
      cwd: root,
      encoding: 'utf8',
      input: '',
    });
    const isCurrent = run.status === 0 && /nothing to migrate/.test(run.stdout) && readdirSync(copy).length === before;
    if (!isCurrent) console.error(`drizzle/${folder} is not what src/store/schema gives: run \`npm run db:generate\`.`);
    if (run.status !== 0) console.error(run.stdout, run.stderr);
    return isCurrent;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const results = databases.map(check);
if (results.includes(false)) process.exitCode = 1;
