/**
 * Ends the output of `.ci/run`: shows each failed test with its message, then how many tests passed
 * and failed.
 *
 *     node scripts/test-totals.ts --files REPORT       names the files with a failed test, if few
 *     node scripts/test-totals.ts REPORT[,AGAIN]…      the totals
 *
 * REPORT is written by vitest's JSON reporter. AGAIN is the report of the failed files, run a
 * second time by themselves: a test that passes then counts as passed, and is named as one that
 * failed at first. So a test that only a busy machine fails is seen.
 *
 * Exits with 1 if a test failed. A file that could not be loaded counts as one failure, since no
 * other count has its tests. So does a report that is missing.
 */
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';

/** The fields of vitest's report that are read here. */
interface Report {
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

interface Test {
  readonly file: string;
  readonly title: string;
  readonly status: string;
  readonly message: string;
}

/** Enough of a message to see what failed; the rest is where the test ran. */
const messageLines = 20;

/** When more files fail, something is wrong that a second run would only repeat. */
const filesAgain = 10;

/** The tests of a report. A file that could not be loaded is one of them, and has failed. */
function readTests(path: string): Test[] {
  if (!existsSync(path)) return [{ file: path, title: '', status: 'failed', message: 'vitest did not write this report.' }];
  const report = JSON.parse(readFileSync(path, 'utf8')) as Report; // as vitest documents it
  return report.testResults.flatMap(({ status, name, message, assertionResults }) => {
    const file = relative(process.cwd(), name);
    if (status === 'failed' && assertionResults.length === 0) return [{ file, title: 'could not be loaded', status, message }];
    return assertionResults.map((test) => ({
      file,
      title: test.fullName,
      status: test.status,
      message: test.failureMessages?.join('\n') ?? '',
    }));
  });
}

const hasFailed = ({ status }: Test): boolean => status === 'failed';
const nameOf = ({ file, title }: Test): string => `${file}: ${title}`;

/** The tests as they ended: those of the files that ran again, from the second run. */
function readBoth(paths: string): Test[] {
  const [path = '', again] = paths.split(',');
  const first = readTests(path);
  if (again === undefined || !existsSync(again)) return first;
  const second = readTests(again);
  const failedAgain = new Set(second.filter(hasFailed).map(nameOf));
  for (const test of first.filter(hasFailed))
    if (!failedAgain.has(nameOf(test))) console.log(`PASSED WHEN RUN AGAIN ${nameOf(test)}\n${cutMessage(test)}\n`);
  const files = new Set(second.map(({ file }) => file));
  return [...first.filter(({ file }) => !files.has(file)), ...second];
}

const cutMessage = ({ message }: Test): string => message.split('\n').slice(0, messageLines).join('\n');

const paths = process.argv.slice(2);
if (paths[0] === '--files') {
  const failed = readTests(paths[1] ?? '').filter(hasFailed);
  const files = [...new Set(failed.map(({ file }) => file))].filter((file) => file.endsWith('.ts'));
  if (files.length <= filesAgain) console.log(files.join(' '));
} else {
  const tests = paths.flatMap(readBoth);
  const failed = tests.filter(hasFailed);
  const passed = tests.filter(({ status }) => status === 'passed');
  for (const test of failed) console.log(`FAILED ${nameOf(test)}\n${cutMessage(test)}\n`);
  const skipped = tests.length - passed.length - failed.length;
  console.log(`${passed.length} passed, ${failed.length} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  if (failed.length > 0) process.exitCode = 1;
}
