import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Directory } from '../../../src/agent/files/directory.ts';
import { metricsFile } from '../../../src/agent/files/folder.ts';
import { type MetricEntry, parseMetricsLine } from '../../../src/agent/files/metrics.ts';
import { MetricsReader } from '../../../src/agent/files/metrics-reader.ts';
import { createFolder } from '../../support/folders.ts';

async function openReader() {
  const work = createFolder('metrics');
  const path = join(work, '.trainyard', 'metrics.jsonl');
  mkdirSync(join(work, '.trainyard'));
  writeFileSync(path, '');
  const points: Array<[string, number, number]> = [];
  const notes: string[] = [];
  const keep = ({ name, value, iteration }: MetricEntry) => points.push([name, iteration, value]);
  const held = await Directory.open(work);
  const reader = new MetricsReader(metricsFile(held), keep, (line) => notes.push(line));
  onTestFinished(async () => {
    await reader.end();
    await held.close();
  });
  return { work, path, reader, points, notes };
}

describe('the metrics file', () => {
  test('yields a point for each number of a line, at its iteration', async () => {
    const { path, reader, points, notes } = await openReader();
    appendFileSync(path, '{"iteration": 3, "loss": 0.21, "accuracy": 0.9, "phase": "train", "ok": true, "extra": null}\n');
    await reader.end();
    expect(points).toEqual([
      ['loss', 3, 0.21],
      ['accuracy', 3, 0.9],
    ]);
    expect(notes).toEqual([]);
  });

  test('waits for the end of a line that is still being written', async () => {
    const { path, reader, points } = await openReader();
    appendFileSync(path, '{"iteration": 1, "lo');
    await reader.read();
    expect(points).toEqual([]);
    appendFileSync(path, 'ss": 2}\n{"iteration": 2, "loss": {"a": 1}, "acc": 1');
    await reader.read();
    expect(points).toEqual([['loss', 1, 2]]);
    appendFileSync(path, '}');
    await reader.end();
    expect(points).toEqual([
      ['loss', 1, 2],
      ['acc', 2, 1],
    ]);
  });

  test('notes a bad line by its number and goes on', async () => {
    const { path, reader, points, notes } = await openReader();
    appendFileSync(path, 'loss=3\n[1]\n\n{"iteration": "two", "loss": 1}\n{"iteration": 1, "loss": 0.5}\n');
    await reader.end();
    expect(points).toEqual([['loss', 1, 0.5]]);
    expect(notes.map((note) => note.slice(0, 16))).toEqual(['Metrics, line 1:', 'Metrics, line 2:', 'Metrics, line 4:']);
  });

  test('leaves out NaN and Infinity, as Python writes them, and keeps the rest of the line', async () => {
    const { path, reader, points, notes } = await openReader();
    appendFileSync(path, '{"iteration": 1, "loss": NaN, "norm": -Infinity, "text": "NaN", "huge": 1e999, "accuracy": 0.5}\n');
    await reader.end();
    expect(points).toEqual([['accuracy', 1, 0.5]]);
    expect(notes).toHaveLength(3);
    expect(notes[0]).toBe('Metrics, line 1: "loss" is not a finite number, ignored.');
  });

  test('numbers the points of metrics without an iteration, separately for each name', async () => {
    const { path, reader, points } = await openReader();
    appendFileSync(path, '{"loss": 3}\n{"loss": 2, "lr": 1}\n{"iteration": 9, "loss": 1}\n{"loss": 0}\n');
    await reader.end();
    expect(points).toEqual([
      ['loss', 0, 3],
      ['loss', 1, 2],
      ['lr', 0, 1],
      ['loss', 9, 1],
      ['loss', 10, 0],
    ]);
  });

  test('drops an endless line and goes on with the next', async () => {
    const { path, reader, points, notes } = await openReader();
    appendFileSync(path, `${'x'.repeat(300_000)}\n{"iteration": 1, "loss": 1}\n`);
    await reader.end();
    expect(points).toEqual([['loss', 1, 1]]);
    expect(notes).toHaveLength(1);
  });
});

describe('a metrics file that is not only appended to', () => {
  const epoch = (i: number) => `{"iteration": ${i}, "loss": ${10 - i}}`;

  test.each([
    ['with a line end', '\n'],
    ['without one, as json.dump leaves it', ''],
  ])('gives the point of each epoch when each writes it anew, %s (P18)', async (_, end) => {
    const { path, reader, points, notes } = await openReader();
    for (let i = 1; i <= 9; i += 1) {
      writeFileSync(path, `${epoch(i)}${end}`);
      await reader.read();
      expect(points).toHaveLength(i);
    }
    await reader.end();
    expect(points).toEqual(Array.from({ length: 9 }, (_, i) => ['loss', i + 1, 9 - i]));
    expect(notes).toEqual([]);
  });

  test('yields each point once when a new file replaces it each time, and the last ones of the old file (P18)', async () => {
    const { path, reader, points } = await openReader();
    for (let i = 1; i <= 5; i += 1) {
      await reader.read();
      // Lines after the last look at the old file still belong to it.
      appendFileSync(path, `${epoch(2 * i)}\n`);
      writeFileSync(`${path}.new`, `${epoch(2 * i + 1)}\n`);
      renameSync(`${path}.new`, path);
    }
    await reader.end();
    expect(points.map(([, iteration]) => iteration)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test.each(['in place', 'under a new name'])('gives no point twice when all its history is written anew %s (P18)', async (how) => {
    const { path, reader, points } = await openReader();
    // Without iterations, because a line taken twice would then be two points.
    const history = ['{"loss": 3}', '{"loss": 2}', '{"loss": 2}', '{"loss": 1}'];
    for (let i = 1; i <= history.length; i += 1) {
      const target = how === 'in place' ? path : `${path}.new`;
      if (how === 'in place') {
        truncateSync(path, 0);
        await reader.read();
      }
      writeFileSync(target, history.slice(0, i).join('\n'));
      if (target !== path) renameSync(target, path);
      await reader.read();
    }
    await reader.end();
    expect(points).toEqual([
      ['loss', 0, 3],
      ['loss', 1, 2],
      ['loss', 2, 2],
      ['loss', 3, 1],
    ]);
  });

  test('is read on after it was removed for a while, or truncated under a script that writes on (P18)', async () => {
    const { path, reader, points, notes } = await openReader();
    const script = openSync(path, 'w');
    onTestFinished(() => closeSync(script));
    writeSync(script, `${epoch(1)}\n`);
    await reader.read();
    truncateSync(path, 0);
    await reader.read();
    writeSync(script, `${epoch(2)}\n`);
    await reader.read();
    rmSync(path);
    await reader.read();
    writeFileSync(path, `${epoch(3)}\n`);
    await reader.end();
    expect(points.map(([, iteration]) => iteration)).toEqual([1, 2, 3]);
    expect(notes).toEqual([]);
  });

  test('is noted once while it is not a plain file, and read again when it is (P16)', async () => {
    const { work, path, reader, points, notes } = await openReader();
    rmSync(path);
    execFileSync('mkfifo', [path]);
    for (let i = 0; i < 3; i += 1) await reader.read();
    rmSync(path);
    symlinkSync(join(work, 'elsewhere'), path);
    await reader.read();
    rmSync(path);
    writeFileSync(path, `${epoch(1)}\n`);
    await reader.end();
    expect(notes).toEqual(['The metrics file is a named pipe.', 'The metrics file is a symbolic link.']);
    expect(points).toHaveLength(1);
  });

  test('is read to its end even if it is sparse or every line is wrong', async () => {
    const { path, reader, points, notes } = await openReader();
    truncateSync(path, 20 * 1024 ** 2);
    appendFileSync(path, `\n${'{"iteration": -1}\n'.repeat(1_000)}${epoch(1)}\n`);
    await reader.end();
    expect(points).toHaveLength(1);
    expect(notes).toHaveLength(51);
    expect(notes.at(-1)).toBe('And 951 more notes on metrics.');
  });
});

test('text that looks like the marker of a non-finite number is still text', () => {
  const parsed = parseMetricsLine('{"a": "Infinity", "b": NaN, "c": 1}');
  expect(parsed.values).toEqual([['c', 1]]);
  expect(parsed.problems).toHaveLength(1);
});
