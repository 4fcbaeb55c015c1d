import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type MetricEntry, MetricsReader, parseMetricsLine } from '../../src/agent/metrics.ts';
import { createFolder } from '../support/folders.ts';

function openReader() {
  const path = join(createFolder('metrics'), 'metrics.jsonl');
  writeFileSync(path, '');
  const points: Array<[string, number, number]> = [];
  const notes: string[] = [];
  const keep = ({ name, value, iteration }: MetricEntry) => points.push([name, iteration, value]);
  const reader = new MetricsReader(path, keep, (line) => notes.push(line));
  return { path, reader, points, notes };
}

describe('the metrics file', () => {
  test('gives a point for each number of a line, at its iteration', async () => {
    const { path, reader, points, notes } = openReader();
    appendFileSync(path, '{"iteration": 3, "loss": 0.21, "accuracy": 0.9, "phase": "train", "ok": true, "extra": null}\n');
    await reader.end();
    expect(points).toEqual([
      ['loss', 3, 0.21],
      ['accuracy', 3, 0.9],
    ]);
    expect(notes).toEqual([]);
  });

  test('waits for the end of a line that is still being written', async () => {
    const { path, reader, points } = openReader();
    appendFileSync(path, '{"iteration": 1, "lo');
    await reader.read();
    expect(points).toEqual([]);
    appendFileSync(path, 'ss": 2}\n{"iteration": 2, "loss": 1}');
    await reader.read();
    expect(points).toEqual([['loss', 1, 2]]);
    await reader.end();
    expect(points).toEqual([
      ['loss', 1, 2],
      ['loss', 2, 1],
    ]);
  });

  test('goes on after a bad line, which is noted with its number', async () => {
    const { path, reader, points, notes } = openReader();
    appendFileSync(path, 'loss=3\n[1]\n\n{"iteration": "two", "loss": 1}\n{"iteration": 1, "loss": 0.5}\n');
    await reader.end();
    expect(points).toEqual([['loss', 1, 0.5]]);
    expect(notes.map((note) => note.slice(0, 16))).toEqual(['Metrics, line 1:', 'Metrics, line 2:', 'Metrics, line 4:']);
  });

  test('leaves out NaN and Infinity, as Python writes them, and keeps the rest of the line', async () => {
    const { path, reader, points, notes } = openReader();
    appendFileSync(path, '{"iteration": 1, "loss": NaN, "norm": -Infinity, "text": "NaN", "huge": 1e999, "accuracy": 0.5}\n');
    await reader.end();
    expect(points).toEqual([['accuracy', 1, 0.5]]);
    expect(notes).toHaveLength(3);
    expect(notes[0]).toBe('Metrics, line 1: "loss" is not a finite number, left out.');
  });

  test('numbers the points of a metric that has no iteration, each name for itself', async () => {
    const { path, reader, points } = openReader();
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

  test('drops a line without end, and goes on with the next', async () => {
    const { path, reader, points, notes } = openReader();
    appendFileSync(path, `${'x'.repeat(300_000)}\n{"iteration": 1, "loss": 1}\n`);
    await reader.end();
    expect(points).toEqual([['loss', 1, 1]]);
    expect(notes).toHaveLength(1);
  });
});

test('a text that looks like the mark of a number that is not finite is still text', () => {
  const parsed = parseMetricsLine('{"a": "Infinity", "b": NaN, "c": 1}');
  expect(parsed.values).toEqual([['c', 1]]);
  expect(parsed.problems).toHaveLength(1);
});
