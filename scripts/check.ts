/**
 * `npm run check`: every check of a checkout that does not run the product.
 *
 * A failed check does not stop the others. Each failed check prints its output.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const checks: readonly (readonly [what: string, ...command: string[]])[] = [
  ['types', 'tsc', '--noEmit'],
  ['types of the console', 'tsc', '--noEmit', '--project', 'src/console'],
  ['types of the Python package', 'pyright', '--project', 'python'],
  ['style and format', 'biome', 'check', '--error-on-warnings'],
  ['no unused file, export or dependency', 'knip', '--no-progress'],
  ['architecture', 'vitest', 'run', 'test/architecture.test.ts'],
  ['migrations match the tables', 'node', 'scripts/check-migrations.ts'],
  ['schema.graphql matches src/schema', 'node', 'scripts/print-schema.ts', '--check'],
  ['the contract is kept', 'node', 'scripts/compare-contract.ts'],
  ['client documents match schema.graphql', 'node', 'codegen.ts', '--check'],
  ['docs/job.schema.json matches schema.graphql', 'node', 'scripts/job-schema.ts', '--check'],
  ['docs/lifecycle.md matches the tables', 'node', 'scripts/lifecycle-diagram.ts', '--check'],
  ['docs/moving matches the tests', 'node', 'scripts/moving-page.ts', '--check'],
  ['docs/clients.md matches examples/clients', 'node', 'scripts/clients-page.ts', '--check'],
  ['docs/rights.md matches the tables of rights', 'node', 'scripts/rights-page.ts', '--check'],
  ['docs/promises.md matches the tests', 'node', 'scripts/promises-page.ts', '--check'],
  ['docs/settings.md matches src/config', 'node', 'scripts/settings-page.ts', '--check'],
];

let failures = 0;
for (const [what, command = '', ...options] of checks) {
  const start = performance.now();
  const { status, stdout, stderr, error } = spawnSync(command, options, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    // The project's own node and tools come first, also without npm.
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
