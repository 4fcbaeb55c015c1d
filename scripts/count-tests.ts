/**
 * Says how many tests passed and failed, from reports of vitest's JSON reporter, all together: `node scripts/count-tests.ts REPORT…`.
 *
 * Ends with 1 if any failed. A file that could not be loaded counts as one failure: its tests are in no other count. So does a report that was not
 * written.
 */
import { existsSync, readFileSync } from 'node:fs';

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly name: string; readonly assertionResults: readonly unknown[] }[];
}

const total = { passed: 0, failed: 0, skipped: 0 };
for (const path of process.argv.slice(2)) {
  if (!existsSync(path)) {
    console.log(`vitest wrote no report ${path}`);
    total.failed += 1;
    continue;
  }
  const report = JSON.parse(readFileSync(path, 'utf8')) as Report; // as vitest documents it
  const unloaded = report.testResults.filter(({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0);
  for (const { name } of unloaded) console.log(`Could not be loaded: ${name}`);
  total.passed += report.numPassedTests;
  total.failed += report.numFailedTests + unloaded.length;
  total.skipped += report.numPendingTests + report.numTodoTests;
}
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);
if (total.failed > 0) process.exitCode = 1;
