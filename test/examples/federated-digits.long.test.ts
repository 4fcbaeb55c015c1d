import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const script = fileURLToPath(new URL('../../examples/federated-digits/run.ts', import.meta.url));

/** Five Python processes and their gateway train for half a minute, beside other tests. */
const patienceMs = 240_000;

interface Run {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * `npm run example:federated` without a running gateway, with its own folder for temporary files.
 */
function runExample(folder: string, ...flags: string[]): Promise<Run> {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: folder, TRAINYARD_DATA_DIR: join(folder, 'no-gateway') };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [script, ...flags], { env, maxBuffer: 2 ** 24 }, (_, stdout, stderr) => {
      resolve({ exitCode: child.exitCode ?? -1, stdout, stderr });
    });
    onTestFinished(() => void child.kill());
  });
}

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'federated-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

interface Row {
  readonly aggregate: number;
  /** The result of each device: an accuracy, or why it has none. */
  readonly handedIn: readonly string[];
  readonly alone: readonly number[];
}

/** The rows of the final table, by round. */
function readTable(stdout: string): Row[] {
  return [...stdout.matchAll(/^ +\d+ +(0\.\d+) │(.+)│(.+)$/gm)].map(([, aggregate, handedIn = '', alone = '']) => ({
    aggregate: Number(aggregate),
    handedIn: handedIn.trim().split(/ +/),
    alone: alone.trim().split(/ +/).map(Number),
  }));
}

test('five devices train one model that gets better by round than any device alone, even though one is killed in round 2', {
  timeout: patienceMs,
}, async () => {
  const folder = await makeFolder();
  const { exitCode, stdout, stderr } = await runExample(folder);
  expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 0, stderr: '' });

  const rows = readTable(stdout);
  expect(rows).toHaveLength(8);
  for (const { aggregate, alone, handedIn } of rows) {
    expect(aggregate).toBeGreaterThan(Math.max(...alone));
    expect(alone).toHaveLength(5);
    // Any four of the five devices make a round.
    expect(handedIn.filter((text) => text.startsWith('0.'))).toHaveLength(4);
  }
  expect(rows.at(-1)?.aggregate).toBeGreaterThan(Math.max(...rows.flatMap(({ alone }) => alone)) + 0.1);
  expect(rows.at(-1)?.aggregate).toBeGreaterThan((rows[0]?.aggregate ?? 1) + 0.1);

  expect(stdout).toMatch(/^✗ device-2 \(process \d+\) killed while it trains$/m);
  expect(rows[1]?.handedIn[1]).toBe('dropped');
  expect(stdout.match(/^ {2}device-2 │ is there$/gm)).toHaveLength(2);
  expect(stdout).toMatch(/^job SUCCEEDED/m);
  expect(await readdir(folder)).toEqual([]);
});

test('a round whose gateway is killed while it aggregates ends as if nothing had happened', { timeout: patienceMs }, async () => {
  const folder = await makeFolder();
  const { exitCode, stdout, stderr } = await runExample(folder, '--rounds', '6', '--kill-gateway');
  expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toMatch(/^✗ gateway killed while it aggregates round [3-6]; back after /m);
  expect(stdout).toMatch(/^The gateway was killed while it aggregated round [3-6]: attempt 1 LOST, attempt 2 SUCCEEDED$/m);
  for (const { handedIn } of readTable(stdout)) expect(handedIn.filter((text) => text.startsWith('0.'))).toHaveLength(4);
  expect(readTable(stdout)).toHaveLength(6);
  expect(await readdir(folder)).toEqual([]);
});
