/**
 * Inspections of models on a slow disk. A named pipe that nobody writes to is a file that is never
 * read to its end.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Inspections, usualInspections } from '../../src/aggregator/inspections.ts';
import { startThread } from '../../src/aggregator/threads.ts';
import { StoreUnavailable } from '../../src/store/unavailable.ts';
import { createFolder } from '../support/folders.ts';
import { encodeModel, f32, storedModel, withHeader, writeModel } from './models.ts';

const good = writeModel(encodeModel({ a: f32([1, 2, 3]) }));
const looking = (inspections: Inspections) => (path: string) => {
  const { file, sizeBytes } = storedModel(path);
  return inspections.inspect({ kind: 'inspect', file, start: null, isAveraged: true }, sizeBytes);
};

test.skipIf(process.platform === 'win32')('the inspection of a file that hangs is given up in time, and delays no other (P9)', async () => {
  const inspect = looking(
    new Inspections({ ...usualInspections, startThread, places: 2, longestMs: (bytes) => (bytes === 0 ? 500 : 60_000) }),
  );
  const pipes = Array.from({ length: 4 }, (_, i) => join(createFolder('pipe'), `${i}`));
  for (const pipe of pipes) execFileSync('mkfifo', [pipe]);
  const hanging = pipes.map((pipe) => inspect(pipe).catch((error: unknown) => error));
  // Its turn comes when the first pipes are given up: they occupy both threads.
  expect(await inspect(good)).toEqual([]);
  for (const outcome of await Promise.all(hanging)) {
    expect(outcome).toBeInstanceOf(StoreUnavailable);
    expect(String(outcome)).toContain('too slow');
  }
  expect(await inspect(good)).toEqual([]);
  // Opening the pipes ends the threads.
  for (const pipe of pipes) closeSync(openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK));
});

test('large files leave a thread for small ones (P9)', async () => {
  const inspect = looking(new Inspections({ ...usualInspections, startThread, places: 2, largeBytes: 1_000_000 }));
  const bytes = 64_000_000;
  const large = Array.from({ length: 3 }, () => {
    const path = writeModel(withHeader(JSON.stringify({ a: { dtype: 'F32', shape: [bytes / 4], data_offsets: [0, bytes] } })));
    const header = 8 + JSON.stringify({ a: { dtype: 'F32', shape: [bytes / 4], data_offsets: [0, bytes] } }).length;
    truncateSync(path, header + bytes);
    return path;
  });
  const ended: string[] = [];
  const all = large.map((path) => inspect(path).then((problems) => ended.push(`large ${problems.length}`)));
  await inspect(good).then((problems) => ended.push(`small ${problems.length}`));
  await Promise.all(all);
  expect(ended.indexOf('small 0')).toBeLessThan(2);
  expect(ended.toSorted()).toEqual(['large 0', 'large 0', 'large 0', 'small 0']);
});
