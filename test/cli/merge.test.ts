/** Streams told as one, and lines that come too fast. */
import { expect, test, vi } from 'vitest';
import { type Batch, showInOrder } from '../../src/cli/merge.ts';
import { PacedLines } from '../../src/cli/pace.ts';

type State = Batch['state'];
type Step = readonly [state: State, ...entries: (readonly [at: number, name: string, rank?: number])[]] | Promise<unknown>;

/** A stream that delivers these batches, and waits where there is a promise. */
async function* stream(told: string[], ...steps: Step[]): AsyncGenerator<Batch> {
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
        show: async () => {
          told.push(name);
        },
      })),
    };
  }
}

test('streams that replay are told in the order of time, whichever comes first', async () => {
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

test('what happened at once is told by what led to what, and a stream keeps its own order', async () => {
  const told: string[] = [];
  await showInOrder([
    stream(told, ['ENDED', [1, 'job runs', 0], [9, 'job ends', 6]]),
    stream(told, ['ENDED', [1, 'step runs', 1], [9, 'step ends', 5]]),
    stream(told, ['ENDED', [9, 'late line', 2], [8, 'line of an earlier clock', 2]]),
  ]);
  expect(told).toEqual(['job runs', 'step runs', 'late line', 'line of an earlier clock', 'step ends', 'job ends']);
});

test('a live stream is told although the others are silent, and what is replayed waits for none that is live', async () => {
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

test('what a stream fails with ends it all', async () => {
  const failing = async function* (): AsyncGenerator<Batch> {
    yield { state: 'LIVE', entries: [] };
    throw new Error('refused');
  };
  await expect(showInOrder([failing(), stream([], new Promise(() => {}), ['ENDED'])])).rejects.toThrow('refused');
});

test('of lines that come too fast a few a second are shown, the newest, and the last of all', () => {
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
