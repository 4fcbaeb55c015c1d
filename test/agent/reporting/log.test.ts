import { describe, expect, test } from 'vitest';
import { type LogEntry, LogWriter, maxChunkBytes, splitText } from '../../../src/agent/reporting/log.ts';
import { eventually } from '../eventually.ts';

function openLog(hasRoom: (entry: LogEntry) => boolean = () => true) {
  const entries: LogEntry[] = [];
  const log = new LogWriter((entry) => {
    if (!hasRoom(entry)) return false;
    entries.push(entry);
    return true;
  });
  return { log, entries, text: () => entries.map((entry) => entry.text).join('') };
}

/** Each offset is the number of bytes before it. */
function expectGapless(entries: readonly LogEntry[]) {
  let offset = 0;
  for (const entry of entries) {
    expect(entry.offset).toBe(offset);
    offset += Buffer.byteLength(entry.text);
  }
}

describe('the log of an attempt', () => {
  test('is complete when every byte arrives in its own read, alternating with the other pipe', () => {
    const { log, entries } = openLog();
    const out = 'Zug 🚂 fährt — 東京\n';
    const err = 'Warnung: ñ é 🛑\n';
    const [outBytes, errBytes] = [Buffer.from(out), Buffer.from(err)];
    for (let i = 0; i < Math.max(outBytes.length, errBytes.length); i += 1) {
      log.write('STDOUT', outBytes.subarray(i, i + 1));
      log.write('STDERR', errBytes.subarray(i, i + 1));
    }
    log.end();
    const textOf = (stream: string) =>
      entries
        .filter((entry) => entry.stream === stream)
        .map((entry) => entry.text)
        .join('');
    expect(textOf('STDOUT')).toBe(out);
    expect(textOf('STDERR')).toBe(err);
    expectGapless(entries);
  });

  test('counts its offsets over stdout, stderr and the agent’s lines, in the order read', () => {
    const { log, entries } = openLog();
    log.write('STDOUT', Buffer.from('ü1\n'));
    log.write('STDERR', Buffer.from('e\n'));
    log.note('note');
    log.write('STDOUT', Buffer.from('2\n'));
    log.end();
    expect(entries.map(({ offset, stream, text }) => [offset, stream, text])).toEqual([
      [0, 'STDOUT', 'ü1\n'],
      [4, 'STDERR', 'e\n'],
      [6, 'SYSTEM', 'note\n'],
      [11, 'STDOUT', '2\n'],
    ]);
  });

  test('is split into chunks of at most 16 KB that never end inside a character', () => {
    const { log, entries, text } = openLog();
    const long = '€'.repeat(30_000);
    log.write('STDOUT', Buffer.from(long));
    log.end();
    expect(text()).toBe(long);
    expect(entries.length).toBeGreaterThan(5);
    for (const entry of entries) expect(Buffer.byteLength(entry.text)).toBeLessThanOrEqual(maxChunkBytes);
    expectGapless(entries);
  });

  test('is passed on without waiting for more output', async () => {
    const { log, text } = openLog();
    const before = performance.now();
    log.write('STDOUT', Buffer.from('epoch 1'));
    await eventually(() => expect(text()).toBe('epoch 1'), { interval: 5 });
    expect(performance.now() - before).toBeLessThan(2_000);
  });

  test('shows bytes that are not UTF-8, and NUL, as the replacement character', () => {
    const { log, text } = openLog();
    log.write('STDOUT', Buffer.from([0x61, 0xff, 0x62, 0x00, 0x63, 0xe2, 0x82]));
    log.end();
    expect(text()).toBe('a\uFFFDb\uFFFDc\uFFFD');
  });

  test('has no gap where there was no room for a chunk', () => {
    let room = true;
    const { log, entries } = openLog(() => room);
    log.write('STDOUT', Buffer.from('one\n'));
    log.flush();
    room = false;
    log.write('STDOUT', Buffer.from('two\n'));
    log.flush();
    room = true;
    log.write('STDOUT', Buffer.from('three\n'));
    log.end();
    expect(entries.map(({ offset, text }) => [offset, text])).toEqual([
      [0, 'one\n'],
      [4, 'three\n'],
    ]);
  });
});

test('text is split between characters of any length', () => {
  const text = 'a¢€🚂'.repeat(50);
  for (let size = 4; size < 40; size += 1) {
    const pieces = splitText(text, size);
    expect(pieces.join('')).toBe(text);
    for (const piece of pieces) expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(size);
  }
});
