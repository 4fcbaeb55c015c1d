/**
 * Ends the output of `.ci/run`: shows each failed test again with its message, then how many tests
 * passed and failed. `node scripts/test-totals.ts REPORT…`, with reports of vitest's JSON reporter.
 *
 * Exits with 1 if a test failed. A file that could not be loaded counts as one failure, since no
 * other count has its tests. So does a report that is missing.
 */
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';

/** The fields of vitest's report that are read here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

/** Enough of a message to see what failed; the rest is where the test ran. */
const messageLines = 20;

const total = { passed: 0, failed: 0, skipped: 0 };
for (const path of process.argv.slice(2)) {
  if (!existsSync(path)) {
    console.log(`FAILED ${path}: vitest did not write it`);
    total.failed += 1;
    continue;
  }
  const report = JSON.parse(readFileSync(path, 'utf8')) as Report; // as vitest documents it
  for (const { status, name, message, assertionResults } of report.testResults) {
    const file = relative(process.cwd(), name);
    for (const test of assertionResults)
      if (test.status === 'failed') tell(`${file}: ${test.fullName}`, test.failureMessages?.join('\n') ?? '');
    if (status === 'failed' && assertionResults.length === 0) {
      tell(`${file}: could not be loaded`, message);
      total.failed += 1;
    }
  }
  total.passed += report.numPassedTests;
  total.failed += report.numFailedTests;
  total.skipped += report.numPendingTests + report.numTodoTests;
}
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);
if (total.failed > 0) process.exitCode = 1;

function tell(title: string, message: string): void {
  console.log(`FAILED ${title}\n${message.split('\n').slice(0, messageLines).join('\n')}\n`);
}
