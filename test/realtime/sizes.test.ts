/**
 * Frames and pages are limited by bytes as well as by rows, and a stream can always continue (P7,
 * P9).
 */
import { expect, test } from 'vitest';
import { failStep } from '../../src/domain/claims/outcomes.ts';
import { appendLog } from '../../src/domain/claims/progress.ts';
import type { Pulled } from '../../src/realtime/pull.ts';
import { type Frame, feedStream, jobStream } from '../../src/realtime/streams.ts';
import { readLogTail } from '../../src/store/queries/logs.ts';
import type { LogChunkRow } from '../../src/store/schema/tables.ts';
import { describeOnGround } from '../support/ground.ts';
import { admin } from '../support/seed.ts';

describeOnGround('A portion of a stream', (on) => {
  /** A job whose log has chunks of these sizes. */
  async function writeLog(sizes: readonly number[]) {
    const { seed } = on();
    const { job } = await seed.createJob();
    const { lease } = await seed.claim(job);
    let offset = 0;
    for (const size of sizes) {
      await appendLog(seed.domain, admin, { leaseToken: lease.token, chunks: [{ offset, text: 'x'.repeat(size), stream: 'STDOUT' }] });
      offset += size;
    }
    return { job, lease };
  }
  const sizesOf = ({ rows }: Frame<LogChunkRow>) => rows.map(({ size }) => size);
  async function take<T>(stream: AsyncIterator<T, undefined>): Promise<T> {
    const { value } = await stream.next();
    if (value === undefined) throw new Error('The stream is over.');
    return value;
  }

  test('has a limit in bytes, and a row that exceeds it is read alone (P9)', async () => {
    const { seed, wakeups } = on();
    const { job } = await writeLog([100_000, 100_000, 100_000, 700_000, 10, 262_144, 1]);
    const stream = await jobStream(seed.domain, wakeups, { kind: 'log', jobId: job.id });
    const frames = [];
    for (let i = 0; i < 5; i++) frames.push(await take(stream));
    expect(frames.map(sizesOf)).toEqual([[100_000, 100_000], [100_000], [700_000], [10], [262_144]]);
    expect(frames.map(({ state }) => state)).toEqual(Array(5).fill('REPLAYING'));
    expect(await take(stream)).toMatchObject({ state: 'LIVE', rows: [{ size: 1 }] });
    await stream.return?.();
    for (const { cursor } of frames) {
      const resumed = await jobStream(seed.domain, wakeups, { kind: 'log', jobId: job.id, after: cursor, stepNumber: 0 });
      expect((await take(resumed)).rows.length).toBeGreaterThan(0);
      await resumed.return?.();
    }
  });

  test('of events counts their texts, in the stream of a job and in the feed (P9)', async () => {
    const { seed, wakeups } = on();
    const { job } = await seed.createJob([{ name: 'Fails', maxAttempts: 60 }]);
    for (let i = 0; i < 60; i++) {
      const { lease } = await seed.claim(job);
      await failStep(seed.domain, admin, { leaseToken: lease.token, description: 'é'.repeat(9_000) });
    }
    const streams: Pulled<Frame<{ readonly description: string }>>[] = [
      await jobStream(seed.domain, wakeups, { kind: 'event', jobId: job.id }),
      await feedStream(seed.domain, wakeups, admin, { filter: { projectId: seed.project.id } }),
    ];
    for (const stream of streams) {
      let told = 0;
      for (let state = 'REPLAYING'; state === 'REPLAYING'; ) {
        const frame = await take(stream);
        const characters = frame.rows.reduce((sum, { description }) => sum + description.length, 0);
        expect(characters).toBeLessThanOrEqual(seed.domain.limits.frameBytes);
        told += characters;
        state = frame.state;
      }
      expect(told).toBeGreaterThanOrEqual(60 * 9_000);
      await stream.return?.();
    }
  });

  test('of the end of a log is no more than can be shown, and is announced before it is read (P9)', async () => {
    const { seed, store } = on();
    const { job } = await writeLog(Array(10).fill(700_000));
    const held: number[] = [];
    const of = { jobId: job.id, stepNumber: 0, lines: 100, mostCharacters: 1_048_576 };
    const text = await readLogTail(store.read, { ...of, hold: (bytes) => held.push(bytes) });
    expect([text.length, held]).toEqual([1_048_576, [700_000, 700_000]]);
    const refuse = () => {
      throw new Error('no room');
    };
    await expect(readLogTail(store.read, { ...of, hold: refuse })).rejects.toThrow('no room');
    expect(seed.domain.limits.frameBytes).toBe(262_144);
  });

  test('is halved if it was too large for one answer, down to a single row, and grows again (P7)', async () => {
    const { seed, wakeups } = on();
    const { job } = await writeLog(Array(40).fill(10));
    const stream = await jobStream(seed.domain, wakeups, { kind: 'log', jobId: job.id });
    const whole = await take(stream);
    expect([whole.state, whole.rows.length]).toEqual(['LIVE', 40]);
    for (const count of [20, 10, 5, 2, 1]) {
      expect(stream.narrow()).toBe(true);
      const frame = await take(stream);
      expect([frame.state, frame.rows.length, frame.rows[0]?.seq]).toEqual(['REPLAYING', count, 1]);
    }
    expect(stream.narrow()).toBe(false);
    const rest = [];
    for (let told = 1; told < 40; told += rest.at(-1)?.rows.length ?? 0) rest.push(await take(stream));
    expect(rest.map(({ rows }) => rows.length)).toEqual([2, 4, 8, 16, 9]);
    expect(rest.flatMap(({ rows }) => rows.map(({ seq }) => seq))).toEqual(Array.from({ length: 39 }, (_, i) => i + 2));
    await stream.return?.();
    expect([wakeups.size, seed.clock.waiting]).toEqual([0, 0]);
  });

  test('is halved also at the end of a stream, which ends when all of it is delivered (P7)', async () => {
    const { seed, wakeups } = on();
    const { job, lease } = await writeLog(Array(4).fill(10));
    await failStep(seed.domain, admin, { leaseToken: lease.token, description: 'enough' });
    const stream = await jobStream(seed.domain, wakeups, { kind: 'log', jobId: job.id });
    expect(await take(stream)).toMatchObject({ state: 'ENDED', rows: Array(4).fill({}) });
    expect(stream.narrow()).toBe(true);
    expect(await take(stream)).toMatchObject({ state: 'REPLAYING', rows: [{ seq: 1 }, { seq: 2 }] });
    expect(await take(stream)).toMatchObject({ state: 'ENDED', rows: [{ seq: 3 }, { seq: 4 }] });
    expect((await stream.next()).done).toBe(true);
    expect([wakeups.size, seed.clock.waiting]).toEqual([0, 0]);
  });
});
