import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TimeLimit } from '../../src/server/connections/time-limit.ts';

describe('A limit on time', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('calls back once for each thing that takes too long, and for no other, in order', () => {
    const limit = new TimeLimit(100);
    const exceeded: number[] = [];
    const running = Array.from({ length: 10 }, (_, i) => {
      const begun = limit.begin(() => exceeded.push(i));
      vi.advanceTimersByTime(5);
      return begun;
    });
    for (const i of [0, 4, 5, 9]) limit.end(running[i] ?? fail());
    expect(exceeded).toEqual([]);
    vi.advanceTimersByTime(55);
    expect(exceeded).toEqual([1]);
    vi.advanceTimersByTime(10);
    expect(exceeded).toEqual([1, 2, 3]);
    vi.advanceTimersByTime(1_000);
    expect(exceeded).toEqual([1, 2, 3, 6, 7, 8]);
    for (const begun of running) limit.end(begun);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('takes one timer for thousands, and none when nothing runs', () => {
    const limit = new TimeLimit(100);
    const running = Array.from({ length: 1_000 }, () => limit.begin(() => {}));
    expect(vi.getTimerCount()).toBe(1);
    for (const begun of running) limit.end(begun);
    for (let i = 0; i < 1_000; i++) limit.end(limit.begin(() => {}));
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(100);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('that is exceeded may begin again at once', () => {
    const limit = new TimeLimit(100);
    let times = 0;
    const again = () => {
      times += 1;
      limit.begin(again);
    };
    limit.begin(again);
    vi.advanceTimersByTime(1_000);
    expect(times).toBe(10);
    expect(vi.getTimerCount()).toBe(1);
  });

  test('lets go of what has ended, and of what began before and after it', () => {
    const limit = new TimeLimit(100);
    const [, second = fail()] = [limit.begin(() => {}), limit.begin(() => {}), limit.begin(() => {})];
    limit.end(second);
    expect(second).toMatchObject({ exceeded: null, before: null, after: null });
  });
});

function fail(): never {
  throw new Error('There are ten.');
}
