/**
 * Everything about a checkout that can be judged without running the product: `npm run check`.
 *
 * Each check runs, also after one that failed, and each that failed shows what it said.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const checks: readonly (readonly [what: string, ...command: string[]])[] = [
  ['types', 'tsc', '--noEmit'],
  ['style and format', 'biome', 'check', '--error-on-warnings'],
  ['no unused file, export or dependency', 'knip', '--no-progress'],
  ['architecture', 'vitest', 'run', 'test/architecture.test.ts'],
  ['migrations are what the tables give', 'node', 'scripts/check-migrations.ts'],
  ['schema.graphql is what src/schema gives', 'node', 'scripts/print-schema.ts', '--check'],
  ['the contract is kept', 'node', 'scripts/compare-contract.ts'],
  ['client documents are what schema.graphql gives', 'node', 'codegen.ts', '--check'],
  ['docs/job.schema.json is what schema.graphql gives', 'node', 'scripts/job-schema.ts', '--check'],
  ['docs/lifecycle.md is what the tables give', 'node', 'scripts/lifecycle-diagram.ts', '--check'],
  ['docs/moving is what the tests do', 'node', 'scripts/moving-page.ts', '--check'],
  ['docs/clients.md is what examples/clients shows', 'node', 'scripts/clients-page.ts', '--check'],
  ['docs/rights.md is what the tables of rights give', 'node', 'scripts/rights-page.ts', '--check'],
  ['docs/promises.md is what the tests name', 'node', 'scripts/promises-page.ts', '--check'],
  ['docs/settings.md is what src/config gives', 'node', 'scripts/settings-page.ts', '--check'],
];

let failures = 0;
for (const [what, command = '', ...options] of checks) {
  const start = performance.now();
  const { status, stdout, stderr, error } = spawnSync(command, options, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    // Also when it is not npm that runs this: the project's own node and tools come first.
    env: { ...process.env, PATH: `${root}node_modules/.bin:${process.env.PATH ?? ''}` },
  });
  const seconds = ((performance.now() - start) / 1_000).toFixed(1);
  console.log(`${status === 0 ? '✓' : '✗'} ${what} (${seconds} s)`);
  if (status === 0) continue;
  failures += 1;
  console.log([stdout, stderr, error?.message].filter(Boolean).join('\n').trimEnd());
}
if (failures > 0) {
  console.log(`\n${failures} of ${checks.length} checks failed.`);
  process.exitCode = 1;
}
