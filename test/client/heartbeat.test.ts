import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { defaultHeartbeat, Heartbeat } from '../../src/client/heartbeat.ts';

describe('The heartbeat of a connection', () => {
  const said: string[] = [];
  let heartbeat: Heartbeat;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
    said.length = 0;
    heartbeat = new Heartbeat(defaultHeartbeat, {
      ping: () => said.push('ping'),
      onLatency: (ms) => said.push(`${ms} ms`),
      onSilent: () => said.push('silent'),
      onDead: (reason) => said.push(reason),
    });
  });
  afterEach(() => {
    heartbeat.stop();
    vi.useRealTimers();
  });

  test('says that the peer is dead 15 s after the last that was heard', () => {
    vi.advanceTimersByTime(9_999);
    expect(said).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(said).toEqual(['ping']);
    vi.advanceTimersByTime(4_990);
    expect(said).toEqual(['ping']);
    vi.advanceTimersByTime(20);
    expect(said).toEqual(['ping', 'no answer to a ping within 5000 ms']);
  });

  test('goes on as long as pings are answered, and measures how long that takes', () => {
    vi.advanceTimersByTime(10_000);
    for (let i = 0; i < 3; i += 1) {
      vi.advanceTimersByTime(40);
      heartbeat.pong();
      vi.advanceTimersByTime(9_960);
    }
    expect(said).toEqual(['ping', '40 ms', 'ping', '40 ms', 'ping', '40 ms', 'ping']);
  });

  test('says within a second that nothing was heard when the machine has slept, and asks', () => {
    vi.advanceTimersByTime(2_000);
    vi.setSystemTime(Date.now() + 3_600_000);
    vi.advanceTimersByTime(1_000);
    expect(said).toEqual(['silent', 'ping']);
  });

  test('does not take a clock that is set back for silence', () => {
    vi.advanceTimersByTime(2_000);
    vi.setSystemTime(Date.now() - 3_600_000);
    vi.advanceTimersByTime(1_000);
    expect(said).toEqual([]);
    vi.advanceTimersByTime(10_000);
    expect(said).toEqual(['ping']);
  });

  test('waits for what has arrived before it says that the peer is dead', () => {
    vi.advanceTimersByTime(10_000);
    // The thread was busy: the timer fires before the pong is read.
    vi.setSystemTime(Date.now() + 8_000);
    setTimeout(() => heartbeat.pong(), 1_000);
    vi.advanceTimersByTime(1_000);
    expect(said.filter((one) => one.startsWith('no answer'))).toEqual([]);
  });
});
