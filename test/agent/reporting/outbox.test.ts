import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { defaultOutboxLimits, Outbox, type OutboxEntry } from '../../../src/agent/reporting/outbox.ts';
import { createFolder } from '../../support/folders.ts';

const at = '2026-01-01T00:00:00.000Z';
const metric = (iteration: number): OutboxEntry => ({ kind: 'metric', name: 'loss', value: 1 / 3, iteration, at });
const line = (offset: number, text: string): OutboxEntry => ({ kind: 'log', offset, text, stream: 'STDOUT', at });

const openOutbox = (limits = {}) => {
  const folder = createFolder('outbox');
  return { folder, outbox: new Outbox(folder, { ...defaultOutboxLimits, ...limits }) };
};

const sizeOf = (folder: string) => readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);

describe('the outbox', () => {
  test('returns what was added, in order and unchanged', () => {
    const { outbox } = openOutbox();
    const entries = [line(0, 'ä🚂\n\u001b[0m"'), metric(1), line(9, 'b'), metric(2)];
    for (const entry of entries) outbox.add(entry);
    expect(outbox.peek().entries).toEqual(entries);
  });

  test('returns the same entries until they are dropped', () => {
    const { outbox } = openOutbox();
    for (let i = 0; i < 5; i += 1) outbox.add(metric(i));
    expect(outbox.peek(2)).toEqual(outbox.peek(2));
    outbox.drop(outbox.peek(2));
    outbox.add(metric(5));
    expect(outbox.peek().entries).toEqual([metric(2), metric(3), metric(4), metric(5)]);
    outbox.drop(outbox.peek());
    expect(outbox.isEmpty).toBe(true);
    expect(outbox.peek().entries).toEqual([]);
  });

  test('keeps its order over many files, and deletes each once it is delivered', () => {
    const { folder, outbox } = openOutbox({ segmentBytes: 500, batchBytes: 250 });
    const seen: OutboxEntry[] = [];
    for (let i = 0; i < 100; i += 1) outbox.add(metric(i));
    expect(readdirSync(folder).length).toBeGreaterThan(10);
    const before = sizeOf(folder);
    while (!outbox.isEmpty) {
      const batch = outbox.peek();
      seen.push(...batch.entries);
      outbox.drop(batch);
    }
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => metric(i)));
    expect(before).toBeGreaterThan(5_000);
    expect(sizeOf(folder)).toBe(0);
  });

  test('refuses and counts what exceeds its limit, and takes more when there is room', () => {
    const { outbox } = openOutbox({ totalBytes: 1_000 });
    let taken = 0;
    while (outbox.add(metric(taken))) taken += 1;
    expect(outbox.add(metric(99))).toBe(false);
    expect(outbox.takeRefused()).toBe(0);
    outbox.drop(outbox.peek());
    expect(outbox.takeRefused()).toBe(2);
    expect(outbox.takeRefused()).toBe(0);
    expect(outbox.add(metric(100))).toBe(true);
    expect(outbox.peek().entries).toEqual([metric(100)]);
  });

  test('wakes those who wait for an entry or for its end', async () => {
    const { outbox } = openOutbox();
    const first = outbox.hasEntries();
    outbox.add(metric(1));
    await first;
    outbox.drop(outbox.peek());
    const second = outbox.hasEntries();
    outbox.end();
    await second;
    expect(outbox.isEmpty).toBe(true);
  });

  test('holds a chunk of 16 KB of characters that JSON writes with six bytes each', () => {
    const { outbox } = openOutbox();
    const entry = line(0, '\u0001'.repeat(16 * 1024));
    expect(outbox.add(entry)).toBe(true);
    expect(outbox.peek().entries).toEqual([entry]);
  });
});
