/**
 * A step's own files cost its device nothing (P16), and its outcome is reported whatever its
 * wording (P18).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFolder } from '../../support/folders.ts';
import { logOf, openStation, type Station } from '../station.ts';

let station: Station;
beforeAll(async () => {
  station = await openStation();
  station.startAgent({ slots: 4 });
});
afterAll(() => station.close());

async function run(command: string, status: string) {
  const jobId = await station.createJob([command]);
  return station.waitForJob(jobId, (job) => expect(job.status).toBe(status));
}

test('a step that replaces its folders and metrics by links gets no file of the device uploaded or shown (P16)', async () => {
  const device = createFolder('device');
  writeFileSync(join(device, 'key'), 'a secret of the device');
  const job = await run(`rm -rf fragments; ln -s ${device} fragments; ln -sf /proc/self/environ "$TRAINYARD_METRICS"`, 'SUCCEEDED');
  expect(job.fragments.edges).toEqual([]);
  const log = logOf(job.steps[0]);
  expect(log).toContain('The metrics file is a symbolic link.');
  expect(log).toContain('The fragments folder is a symbolic link: nothing is uploaded.');
  expect(log).not.toMatch(/PATH=|secret/);
});

test('metrics lines that are not JSON put none of their bytes into the log (P16)', async () => {
  const job = await run('printf "root:x:0:0:secret\\n" > "$TRAINYARD_METRICS"', 'SUCCEEDED');
  expect(logOf(job.steps[0])).toBe('Metrics, line 1: 17 bytes that are not a JSON object, ignored.\n');
});

test('a step that replaces its metrics and fragments by named pipes ends, and its slot is free (P16, P17)', async () => {
  const job = await run('rm -f "$TRAINYARD_METRICS"; mkfifo "$TRAINYARD_METRICS" fragments/pipe; echo done', 'SUCCEEDED');
  expect(logOf(job.steps[0])).toContain('done\n');
  expect(logOf(job.steps[0])).toContain('The metrics file is a named pipe.');
  expect(logOf(job.steps[0])).toContain('"fragments/pipe" is a named pipe: it is not uploaded.');
});

test('a sparse file larger than the gateway’s limit is refused by its size, before it is read (P16)', async () => {
  const readBefore = readBytes();
  const job = await run('truncate -s 6G fragments/huge; echo small > fragments/small', 'FAILED');
  expect(job.steps[0]?.attempts[0]?.description).toBe(
    '"fragments/huge" could not be uploaded: it has 6442450944 bytes, and the gateway takes at most 5368709120.',
  );
  expect(job.fragments.edges.map(({ node }) => node.filename)).toEqual(['small']);
  expect(readBytes() - readBefore).toBeLessThan(1024 ** 3);
});

/** Bytes that this process has read so far. 0 where the system does not say. */
function readBytes(): number {
  try {
    return Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

test.each([
  ['characters outside the first plane', `printf '😀%.0s' $(seq 8000) >&2`],
  ['NUL, escape sequences and bytes that are no UTF-8', `printf 'a\\0b\\033[31mred\\377\\n' >&2`],
])('a failure that is told in %s is reported once, and not left to its lease (P18)', async (_, print) => {
  const job = await run(`${print}; exit 127`, 'FAILED');
  expect(job.steps[0]?.attempts).toHaveLength(1);
  expect(job.steps[0]?.attempts[0]).toMatchObject({ outcome: 'FAILED', exitCode: 127 });
  expect(job.steps[0]?.attempts[0]?.description.isWellFormed()).toBe(true);
});

test('the first value of an iteration stays, and a different one is noted (P18)', async () => {
  const lines = '{"iteration": 1, "loss": 2}\\n{"iteration": 1, "loss": 2, "n": 1}\\n{"iteration": 1, "loss": 3}\\n';
  const job = await run(`printf '${lines}' >> "$TRAINYARD_METRICS"`, 'SUCCEEDED');
  expect(job.metricSeries.points.map(({ value }) => value)).toEqual([2]);
  expect(logOf(job.steps[0])).toBe('Left out 3 as the metric "loss" of iteration 1, which is 2 already.\n');
});

test('metrics refused for their names are noted, even if the step ends at once (P18)', async () => {
  const name = 'x'.repeat(300);
  const job = await run(`printf '{"iteration": 1, "loss": 2, "%s": 1, "b\\\\u0007": 1}\\n' ${name} >> "$TRAINYARD_METRICS"`, 'SUCCEEDED');
  expect(job.metricSeries.points.map(({ value }) => value)).toEqual([2]);
  expect(logOf(job.steps[0])).toContain(`Left out the metric "${'x'.repeat(99)}…" of iteration 1`);
  expect(logOf(job.steps[0])).toContain('Left out the metric "b\uFFFD" of iteration 1');
});
