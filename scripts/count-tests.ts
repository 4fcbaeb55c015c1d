/**
 * Says how many tests passed and failed, from the report of vitest's JSON reporter: `node scripts/count-tests.ts REPORT`.
 *
 * Ends with 1 if any failed. A file that could not be loaded counts as one failure: its tests are in no other count.
 */
import { readFileSync } from 'node:fs';

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly name: string; readonly assertionResults: readonly unknown[] }[];
}

const report = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Report; // as vitest documents it
const unloaded = report.testResults.filter(({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0);
for (const { name } of unloaded) console.log(`Could not be loaded: ${name}`);
const failed = report.numFailedTests + unloaded.length;
const skipped = report.numPendingTests + report.numTodoTests;
console.log(`${report.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
if (failed > 0) process.exitCode = 1;
