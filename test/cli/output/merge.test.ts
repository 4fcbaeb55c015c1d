/** Merged streams, and lines that come too fast. */
import { expect, test, vi } from 'vitest';
import { type Batch, type Stream, showInOrder } from '../../../src/cli/output/merge.ts';
import { PacedLines } from '../../../src/cli/output/pace.ts';

type State = Batch['state'];
type Step = readonly [state: State, ...entries: (readonly [at: number, name: string, rank?: number])[]] | Promise<unknown>;

/** A stream that delivers these batches, and waits at each promise. */
const stream = (told: string[], ...steps: Step[]): Stream => ({ batches: batches(told, steps), isLost: () => false });

async function* batches(told: string[], steps: readonly Step[]): AsyncGenerator<Batch> {
  for (const step of steps) {
    if (step instanceof Promise) {
      await step;
      continue;
    }
    const [state, ...entries] = step;
    yield {
      state,
      entries: entries.map(([at, name, rank = 0]) => ({
        at,
        rank,
        isEnd: name === 'end of all',
        show: async () => {
          told.push(name);
        },
      })),
    };
  }
}

test('replaying streams are merged in the order of time, whichever delivers first', async () => {
  const told: string[] = [];
  const late = Promise.withResolvers<void>();
  const showing = showInOrder([
    stream(told, ['REPLAYING', [3, 'c'], [5, 'e']], ['ENDED']),
    stream(told, late.promise, ['REPLAYING', [1, 'a']], ['REPLAYING', [4, 'd']], ['ENDED', [6, 'f']]),
    stream(told, ['ENDED', [2, 'b']]),
  ]);
  late.resolve();
  await showing;
  expect(told.join('')).toBe('abcdef');
});

test('simultaneous entries are sorted by cause and effect, and each stream keeps its own order', async () => {
  const told: string[] = [];
  await showInOrder([
    stream(told, ['ENDED', [1, 'job runs', 0], [9, 'job ends', 6]]),
    stream(told, ['ENDED', [1, 'step runs', 1], [9, 'step ends', 5]]),
    stream(told, ['ENDED', [9, 'late line', 2], [8, 'line of an earlier clock', 2]]),
  ]);
  expect(told).toEqual(['job runs', 'step runs', 'late line', 'line of an earlier clock', 'step ends', 'job ends']);
});

test('a live stream is printed while the others are silent, and a replayed entry waits for no live stream', async () => {
  const told: string[] = [];
  const never = Promise.withResolvers<void>();
  const showing = showInOrder([
    stream(told, ['LIVE'], never.promise, ['ENDED']),
    stream(told, ['LIVE', [1, 'live']], never.promise, ['ENDED', [3, 'end']]),
    stream(told, ['REPLAYING', [2, 'old']], ['LIVE'], never.promise, ['ENDED']),
  ]);
  await vi.waitFor(() => expect(told).toEqual(['live', 'old']));
  never.resolve();
  await showing;
  expect(told).toEqual(['live', 'old', 'end']);
});

test('the end comes after everything from the other streams, however long they take and whatever their clocks say', async () => {
  vi.useFakeTimers();
  try {
    const told: string[] = [];
    const [late, later] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const log = stream(told, ['LIVE', [1, 'first line']], late.promise, ['REPLAYING', [9, 'line of a faster clock']], later.promise, [
      'ENDED',
      [3, 'last line'],
    ]);
    let isLost = true;
    const showing = showInOrder([stream(told, ['LIVE'], ['ENDED', [2, 'end of all']]), { ...log, isLost: () => isLost }]);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(told).toEqual(['first line']);
    isLost = false;
    late.resolve();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(told).toEqual(['first line', 'line of a faster clock']);
    later.resolve();
    await showing;
    expect(told).toEqual(['first line', 'line of a faster clock', 'last line', 'end of all']);
  } finally {
    vi.useRealTimers();
  }
});

test('entries wait for a stream that has lost its connection, as for one that replays', async () => {
  vi.useFakeTimers();
  try {
    const told: string[] = [];
    const [lost, back] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const log = stream(told, ['LIVE'], back.promise, ['ENDED', [1, 'line']]);
    let isLost = false;
    const showing = showInOrder([stream(told, ['LIVE'], lost.promise, ['ENDED', [2, 'step ends']]), { ...log, isLost: () => isLost }]);
    isLost = true;
    lost.resolve();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(told).toEqual([]);
    isLost = false;
    back.resolve();
    await showing;
    expect(told).toEqual(['line', 'step ends']);
  } finally {
    vi.useRealTimers();
  }
});

test('the end of a job is printed even if a live stream stays open in silence', async () => {
  vi.useFakeTimers();
  try {
    const told: string[] = [];
    const never = Promise.withResolvers<void>();
    const showing = showInOrder([
      stream(told, ['ENDED', [2, 'end of all']]),
      stream(told, ['LIVE', [1, 'line']], never.promise, ['ENDED']),
    ]);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(told).toEqual(['line', 'end of all']);
    never.resolve();
    await showing;
  } finally {
    vi.useRealTimers();
  }
});

test('the failure of a stream fails the merged stream', async () => {
  const failing = async function* (): AsyncGenerator<Batch> {
    yield { state: 'LIVE', entries: [] };
    throw new Error('refused');
  };
  await expect(showInOrder([{ batches: failing(), isLost: () => false }, stream([], new Promise(() => {}), ['ENDED'])])).rejects.toThrow(
    'refused',
  );
});

test('of lines that come too fast a few per second are shown: the newest ones, and always the last', () => {
  vi.useFakeTimers();
  try {
    const shown: string[] = [];
    const lines = new PacedLines((line) => shown.push(line));
    for (let i = 0; i < 200_000; i += 1) {
      lines.add(() => String(i));
      if (i % 20_000 === 0) vi.advanceTimersByTime(200);
    }
    lines.flush();
    // Two seconds: three at first, and three a second.
    expect(shown.length).toBeLessThanOrEqual(10);
    expect(shown.slice(0, 3)).toEqual(['0', '1', '2']);
    expect(shown.at(-1)).toBe('199999');
    expect(lines.passedOver).toBe(200_000 - shown.length);
    expect(shown).toEqual([...shown].sort((a, b) => Number(a) - Number(b)));
  } finally {
    vi.useRealTimers();
  }
});
