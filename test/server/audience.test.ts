/**
 * Subscribers of one question share what is read for them, and each gets what a lone subscriber
 * gets (P7, P8, P9).
 */
import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { completeStep } from '../../src/domain/claims/outcomes.ts';
import { appendLog } from '../../src/domain/claims/progress.ts';
import { decodeCursor } from '../../src/domain/core/cursors.ts';
import { type Frame, jobStream } from '../../src/realtime/streams.ts';
import { Unsent } from '../../src/server/connections/unsent.ts';
import { Audience, Audiences, type Member, type PassedFrame } from '../../src/server/execution/audience.ts';
import { FrameStream, SharedFrames } from '../../src/server/execution/frames.ts';
import { DEFAULT_LIMITS, type Limits } from '../../src/server/limits.ts';
import { describeOnGround } from '../support/ground.ts';
import { admin } from '../support/seed.ts';

/** A thousand subscribers on a slow machine. */
const PATIENT = { timeout: 20_000 };

type Seqs = Frame<{ readonly seq: number }>;

/** A consumer as a socket is one: it takes frames, or is behind until `accept`. */
class Consumer {
  readonly frames: string[] = [];
  readonly stream: FrameStream;
  isSlow = false;
  /** What it has seen before. */
  readonly from: number;
  readonly done: Promise<void>;
  #unsent: (() => void)[] = [];

  constructor(stream: FrameStream, from: number) {
    this.stream = stream;
    this.from = from;
    stream.pushTo((payload, left) => {
      if (this.#unsent.length > 0) return 'refused';
      this.frames.push(payload.toString());
      if (!this.isSlow) return 'sent';
      this.#unsent.push(left);
      return 'slow';
    });
    this.done = this.#consume();
  }

  /** The peer reads all that was sent to it. */
  accept(): void {
    for (const left of this.#unsent.splice(0)) left();
  }

  async #consume(): Promise<void> {
    for await (const { text, sent } of this.stream) {
      this.frames.push(text);
      if (this.isSlow) await new Promise<void>((resolve) => this.#unsent.push(resolve));
      sent();
    }
  }
}

describeOnGround('An audience', (on) => {
  const consumers: Consumer[] = [];
  afterEach(async () => {
    for (const consumer of consumers.splice(0)) {
      await consumer.stream.return();
      consumer.accept();
    }
  });

  /** A job that writes a log, and a way to subscribe to it. */
  async function begin(limits: Partial<Limits> = {}) {
    const { seed, wakeups } = on();
    const job = (await seed.createJob()).job;
    const { lease } = await seed.claim(job);
    const [audiences, shared, unsent] = [new Audiences(), new SharedFrames(), new Unsent({ ...DEFAULT_LIMITS, ...limits })];
    const counts = { executions: 0, sent: 0 };
    let offset = 0;
    return {
      counts,
      async subscribe(key = 'key', after: string | null = null): Promise<Consumer> {
        const source = await jobStream(seed.domain, wakeups, { kind: 'log', jobId: job.id, after });
        const account = unsent.open(key);
        const execute = (event: unknown) => async () => {
          counts.executions += 1;
          const { cursor, state, missed, rows } = event as Seqs;
          const text = JSON.stringify({ cursor, state, missed, seqs: rows.map(({ seq }) => seq) });
          return { text, outcome: 'data' as const, code: 'OK', limit: null };
        };
        const maker = {
          frame: (event: unknown) => shared.frame(event, 'question', execute(event)),
          failure: String,
          sent: (_: unknown, times: number) => {
            counts.sent += times;
          },
          ended: () => account.close(),
        };
        const stream = new FrameStream(source, maker, account.share(), { audiences, question: 'question' });
        const consumer = new Consumer(stream, await decodeCursor(seed.domain, after, { kind: 'log', jobId: job.id }));
        consumers.push(consumer);
        return consumer;
      },
      async write(count: number): Promise<void> {
        const chunks = Array.from({ length: count }, (_, i) => ({ offset: offset + i, text: 'x', stream: 'STDOUT' as const }));
        offset += count;
        await appendLog(seed.domain, admin, { leaseToken: lease.token, chunks });
      },
      complete: () => completeStep(seed.domain, admin, { leaseToken: lease.token }),
    };
  }

  const seqsOf = (frame: string): number[] => JSON.parse(frame).seqs;
  const newest = ({ frames }: Consumer) => frames.at(-1);

  test('of a thousand subscribers takes one read, one execution, and neither a timer nor a listener for each', async () => {
    const { seed, store, wakeups } = on();
    const { subscribe, write, counts } = await begin();
    const idle = { timers: seed.clock.waiting, listeners: wakeups.size };
    const all: Consumer[] = [];
    for (let i = 0; i < 1_000; i++) all.push(await subscribe());
    await expect.poll(() => seed.clock.waiting, PATIENT).toBe(idle.timers + 1);
    // Of the reader, and of the reads that it may share with the audiences of other questions.
    await expect.poll(() => wakeups.size - idle.listeners, PATIENT).toBe(4);
    const run = vi.spyOn(store.read, 'run');
    for (let i = 1; i <= 3; i++) {
      const before = { ...counts };
      run.mockClear();
      await write(1);
      await expect.poll(() => all.filter(({ frames }) => frames.length === 1 + i).length, PATIENT).toBe(1_000);
      expect(counts.executions).toBe(before.executions + 1);
      expect(run.mock.calls.length).toBeLessThan(20);
      await expect.poll(() => counts.sent, PATIENT).toBe(before.sent + 1_000);
    }
    expect(new Set(all.map(newest)).size).toBe(1);
    await expect.poll(() => [seed.clock.waiting, wakeups.size], PATIENT).toEqual([idle.timers + 1, idle.listeners + 4]);
    run.mockRestore();
  });

  test('goes on when the subscriber who reads for it leaves or does not read', async () => {
    const { subscribe, write } = await begin();
    const [first, second, third] = [await subscribe(), await subscribe(), await subscribe()];
    await write(1);
    await expect.poll(() => [first, second, third].map((one) => one.frames.length), PATIENT).toEqual([2, 2, 2]);
    first.isSlow = true;
    await write(1);
    await write(1);
    await expect.poll(() => [second, third].map((one) => one.frames.flatMap(seqsOf).length), PATIENT).toEqual([3, 3]);
    await second.stream.return();
    await write(1);
    await expect.poll(() => third.frames.flatMap(seqsOf), PATIENT).toEqual([1, 2, 3, 4]);
    first.isSlow = false;
    first.accept();
    await expect.poll(() => first.frames.flatMap(seqsOf), PATIENT).toEqual([1, 2, 3, 4]);
  });

  test('does not wait for a member without room for more unsent bytes', async () => {
    const { subscribe, write } = await begin({ keyUnsentBytes: 100, connectionUnsentBytes: 100 });
    const slow = await subscribe('slow');
    const beside = await subscribe('slow');
    const fast = await subscribe('fast');
    await expect.poll(() => [slow, beside, fast].map((one) => one.frames.length), PATIENT).toEqual([1, 1, 1]);
    slow.isSlow = true;
    for (let i = 1; i <= 3; i++) {
      await write(1);
      await expect.poll(() => fast.frames.flatMap(seqsOf).length, PATIENT).toBe(i);
    }
    slow.isSlow = false;
    slow.accept();
    await expect
      .poll(() => [slow, beside].map((one) => one.frames.flatMap(seqsOf)))
      .toEqual([
        [1, 2, 3],
        [1, 2, 3],
      ]);
  });

  test('of any members, who come, go, stop to read and read on while anything is written, tells each of them all', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), count: fc.integer({ min: 1, max: 4 }) }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('subscribe' as const), count: fc.integer({ min: 1, max: 4 }) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('slow' as const, 'accept' as const, 'leave' as const), count: fc.nat(9) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('settle' as const), count: fc.constant(0) }) },
    );
    const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const { subscribe, write, complete } = await begin();
      const all: { readonly consumer: Consumer; hasLeft: boolean }[] = [];
      let written = 0;
      const add = async (after: string | null) => void all.push({ consumer: await subscribe('key', after), hasLeft: false });
      await add(null);
      for (const { do: what, count } of steps) {
        const one = all[count % all.length];
        if (what === 'write') {
          await write(count);
          written += count;
        } else if (what === 'subscribe') {
          const frame = one && newest(one.consumer);
          for (let i = 0; i < count; i++) await add(i % 2 === 0 || !frame ? null : JSON.parse(frame).cursor);
        } else if (what === 'settle') {
          const isCurrent = ({ consumer: { frames, from, isSlow }, hasLeft }: (typeof all)[number]) =>
            hasLeft || isSlow || (frames.length > 0 && Math.max(from, ...frames.flatMap(seqsOf)) === written);
          await expect.poll(() => all.every(isCurrent), { ...PATIENT, interval: 1 }).toBe(true);
        } else if (one && what === 'slow') one.consumer.isSlow = true;
        else if (one && what === 'accept') {
          one.consumer.isSlow = false;
          one.consumer.accept();
        } else if (one) {
          one.hasLeft = true;
          await one.consumer.stream.return();
        }
      }
      await complete();
      for (const { consumer } of all) {
        consumer.isSlow = false;
        consumer.accept();
      }
      await Promise.all(all.map(({ consumer }) => consumer.done));
      for (const { consumer, hasLeft } of all) checkFrames(consumer, { written, hasLeft });
    });
    await fc.assert(property, { numRuns: 40 });
  });

  /** Every entry from where it began, once and in order, and the states in their order. */
  function checkFrames({ frames, from }: Consumer, { written, hasLeft }: { readonly written: number; readonly hasLeft: boolean }): void {
    const parsed = frames.map((frame) => JSON.parse(frame));
    const seqs = parsed.flatMap((frame) => frame.seqs);
    const expected = Array.from({ length: written - from }, (_, i) => from + 1 + i);
    if (hasLeft) expect(seqs).toEqual(expected.slice(0, seqs.length));
    else {
      expect(seqs).toEqual(expected);
      expect(parsed.at(-1).state).toBe('ENDED');
    }
    expect(parsed.slice(0, -1).every(({ state }) => state !== 'ENDED')).toBe(true);
    const live = parsed.findIndex(({ state }) => state === 'LIVE');
    if (live >= 0) expect(parsed.slice(live).every(({ state }) => state !== 'REPLAYING')).toBe(true);
    // After the first LIVE frame, which may be empty, each frame has something new.
    const later = parsed.slice(live + 1).filter(({ state }) => state === 'LIVE');
    if (live >= 0) expect(later.every((frame) => frame.seqs.length > 0)).toBe(true);
  }
});

test('An audience takes a member in that has seen the frame that is being passed, and does not pass it that one again', async () => {
  const taken = new Map<string, unknown[]>();
  const memberOf = (name: string): Member => ({
    take({ event }: PassedFrame) {
      taken.set(name, [...(taken.get(name) ?? []), event]);
      return 'sent';
    },
    rest() {},
    readFrom() {},
  });
  const at = (place: number) => ({ name: String(place) });
  const audience = new Audience(memberOf('reader'), at(0), () => {});
  for (let i = 0; i < 1_000; i++) audience.join(memberOf(`member ${i}`), at(0));
  const passed = audience.pass({ payload: Buffer.alloc(0), event: 1 }, at(1));
  const early = memberOf('early');
  expect([audience.join(early, at(1)), audience.join(memberOf('late'), at(0)), audience.join(memberOf('ahead'), at(2))]).toEqual([
    true,
    true,
    false,
  ]);
  expect(await passed).toBe(1_001);
  expect(await audience.pass({ payload: Buffer.alloc(0), event: 2 }, at(2))).toBe(1_002);
  expect([taken.get('early'), taken.get('late'), taken.get('ahead'), taken.get('member 999')]).toEqual([[2], [1, 2], undefined, [1, 2]]);
});
