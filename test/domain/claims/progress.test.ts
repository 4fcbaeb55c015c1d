/** Reports of a running step are stored once, however often they are sent. */
import { asc, eq } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { releaseStep } from '../../../src/domain/claims/leases.ts';
import type { LogChunkInput } from '../../../src/domain/claims/log.ts';
import { completeStep, failStep } from '../../../src/domain/claims/outcomes.ts';
import { appendLog, reportMetrics, reportProgress, reportTelemetry } from '../../../src/domain/claims/progress.ts';
import { sweep } from '../../../src/domain/sweep/timekeeping.ts';
import { describeOnGround, refusalOf } from '../../support/ground.ts';
import { admin, type Seed } from '../../support/seed.ts';

describeOnGround('A report', (on) => {
  async function begin() {
    const { seed, store } = on();
    const { job } = await seed.createJob();
    const { lease } = await seed.claim(job);
    const { db, t } = store.read;
    return {
      leaseToken: lease.token,
      job,
      log: () => db.select().from(t.logChunks).where(eq(t.logChunks.jobId, job.id)).orderBy(asc(t.logChunks.seq)),
      metrics: () => db.select().from(t.metricPoints).where(eq(t.metricPoints.jobId, job.id)).orderBy(asc(t.metricPoints.seq)),
      telemetry: () =>
        db.select().from(t.telemetrySamples).where(eq(t.telemetrySamples.jobId, job.id)).orderBy(asc(t.telemetrySamples.seq)),
      append: async (...chunks: [offset: number, text: string][]) => {
        const input: LogChunkInput[] = chunks.map(([offset, text]) => ({ offset, text, stream: 'STDOUT' }));
        return (await appendLog(seed.domain, admin, { leaseToken: lease.token, chunks: input })).nextLogOffset;
      },
    };
  }

  test('of the log is stored once when it is sent again, whole, in part and across chunks', async () => {
    const step = await begin();
    expect(await step.append([0, 'one\n'], [4, 'two\n'])).toBe(8);
    expect(await step.append([0, 'one\n'], [4, 'two\n'])).toBe(8);
    expect(await step.append([4, 'two\nthree\n'])).toBe(14);
    expect(await step.append([0, 'one\ntwo\nthree\nfour\n'])).toBe(19);
    const rows = await step.log();
    expect(rows.map(({ offset, text, seq }) => [seq, offset, text])).toEqual([
      [1, 0, 'one\n'],
      [2, 4, 'two\n'],
      [3, 8, 'three\n'],
      [4, 14, 'four\n'],
    ]);
  });

  test('of the log that would leave a gap is not stored from there on, and the answer says where to continue', async () => {
    const step = await begin();
    expect(await step.append([0, 'one\n'], [5, 'lost\n'], [4, 'two\n'])).toBe(4);
    expect(await step.append([1_000_000, 'far\n'])).toBe(4);
    expect(await step.append([4, 'two\n'])).toBe(8);
    expect((await step.log()).map(({ text }) => text)).toEqual(['one\n', 'two\n']);
  });

  test('of the log counts bytes, not characters', async () => {
    const step = await begin();
    expect(await step.append([0, 'ü🚂\n'])).toBe(7);
    expect(await step.append([0, 'ü🚂\nfür\n'])).toBe(12);
    expect((await step.log()).map(({ offset, size, text }) => [offset, size, text])).toEqual([
      [0, 7, 'ü🚂\n'],
      [7, 5, 'für\n'],
    ]);
  });

  test('of the log may contain NUL, and may be empty', async () => {
    const step = await begin();
    expect(await step.append([0, 'a\0b'], [3, ''])).toBe(3);
    expect((await step.log()).map(({ text }) => text)).toEqual(['a\u001ab']);
  });

  test('of the log keeps offsets valid for writer and reader, whatever the text contains', async () => {
    const step = await begin();
    const written = ['a\0\0b\n', 'half \ud83d', '\ude82 the other\n', 'ü🚂\n', '\0'];
    let offset = 0;
    for (const text of written) {
      // Partly known already: each chunk is sent together with the one before, as after a lost
      // answer.
      const next = await step.append([offset, text], [offset, text]);
      offset += Buffer.byteLength(text);
      expect(next).toBe(offset);
    }
    const chunks = await step.log();
    let read = 0;
    for (const { offset, size, text } of chunks) {
      expect([offset, size]).toEqual([read, Buffer.byteLength(text)]);
      read += size;
    }
    expect(read).toBe(offset);
    expect(chunks.map(({ text }) => text)).toEqual(['a\u001a\u001ab\n', 'half \ufffd', '\ufffd the other\n', 'ü🚂\n', '\u001a']);
  });

  test('of the log that continues within a character stores a mark for each byte left of it', async () => {
    const step = await begin();
    expect(await step.append([0, 'ab'])).toBe(2);
    expect(await step.append([0, 'a🚂c'])).toBe(6);
    expect((await step.log()).map(({ offset, size, text }) => [offset, size, text])).toEqual([
      [0, 2, 'ab'],
      [2, 4, '\u001a\u001a\u001ac'],
    ]);
  });

  test('of the log at a negative offset is refused with its path', async () => {
    const step = await begin();
    expect(await refusalOf(step.append([0, 'one\n'], [-1, 'two\n']))).toMatchObject({
      code: 'INVALID_INPUT',
      issues: [{ path: ['chunks', '1', 'offset'] }],
    });
    expect(await step.log()).toEqual([]);
  });

  test('of the whole log, sent many times in parallel, is stored once and completely', async () => {
    const step = await begin();
    const lines = Array.from({ length: 50 }, (_, i) => `line ${String(i).padStart(3, '0')}\n`);
    const all = lines.map((text, i): [number, string] => [i * 9, text]);
    await Promise.all(Array.from({ length: 8 }, (_, i) => step.append(...all.slice(0, (i + 1) * 6)).then(() => step.append(...all))));
    const rows = await step.log();
    expect(rows.map(({ text }) => text).join('')).toBe(lines.join(''));
    expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, i) => i + 1));
  });

  test('of metrics is stored once for each name and iteration of an attempt', async () => {
    const { seed } = on();
    const step = await begin();
    const point = (name: string, iteration: number | null, value = 1) => ({ name, iteration, value });
    const report = (...metrics: ReturnType<typeof point>[]) =>
      reportMetrics(seed.domain, admin, { leaseToken: step.leaseToken, metrics }).then(({ accepted }) => accepted);
    expect(await report(point('loss', 1), point('loss', 2), point('loss', 1, 9), point('acc', 1))).toBe(3);
    expect(await report(point('loss', 2, 9), point('loss', 3))).toBe(1);
    // A point without an iteration cannot be recognized.
    expect(await report(point('speed', null), point('speed', null))).toBe(2);
    expect(await report()).toBe(0);
    const rows = await step.metrics();
    expect(rows.map(({ seq, name, iteration, value }) => [seq, name, iteration, value])).toEqual([
      [1, 'loss', 1, 1],
      [2, 'loss', 2, 1],
      [3, 'acc', 1, 1],
      [4, 'loss', 3, 1],
      [5, 'speed', null, 1],
      [6, 'speed', null, 1],
    ]);
    await Promise.all(Array.from({ length: 8 }, () => report(point('loss', 4), point('loss', 5))));
    expect((await step.metrics()).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('of telemetry is stored once for each moment', async () => {
    const { seed } = on();
    const step = await begin();
    const sample = (ms: number) => ({ at: new Date(ms), cpu: 0.5, memoryMb: 10, gpuDutyCycle: 50, gpuMemory: 0.5 });
    const report = (...samples: ReturnType<typeof sample>[]) =>
      reportTelemetry(seed.domain, admin, { leaseToken: step.leaseToken, samples }).then(({ accepted }) => accepted);
    expect(await report(sample(1), sample(2), sample(1))).toBe(2);
    expect(await report(sample(2), sample(3))).toBe(1);
    expect((await step.telemetry()).map(({ seq, at }) => [seq, at.getTime()])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
  });

  test('over a long window of what is stored already is stored once, beside that of other attempts', async () => {
    const { seed } = on();
    const step = await begin();
    const other = await begin();
    const point = (iteration: number) => ({ name: 'loss', iteration, value: iteration });
    const sample = (seconds: number) => ({ at: new Date(seconds * 1_000), cpu: 1, memoryMb: 10 });
    const report = async (numbers: readonly number[], leaseToken = step.leaseToken) => {
      const { accepted, ignored } = await reportMetrics(seed.domain, admin, { leaseToken, metrics: numbers.map(point) });
      const samples = await reportTelemetry(seed.domain, admin, { leaseToken, samples: numbers.map(sample) });
      return [accepted, ignored.map(({ storedValue }) => storedValue), samples.accepted];
    };
    const thousand = (from: number) => Array.from({ length: 1_000 }, (_, i) => from + i);
    for (const from of [1, 1_001, 2_001]) expect(await report(thousand(from))).toEqual([1_000, [], 1_000]);
    expect(await report([1, 2_000, 3_000, 3_001])).toEqual([1, [1, 2_000, 3_000], 1]);
    expect(await report(thousand(2_500))).toEqual([498, thousand(2_500).slice(0, 502), 498]);
    expect(await report([1, 3_000], other.leaseToken)).toEqual([2, [], 2]);
    expect((await step.metrics()).map(({ seq }) => seq)).toEqual(Array.from({ length: 3_499 }, (_, i) => i + 1));
    expect((await step.telemetry()).map(({ seq }) => seq)).toEqual(Array.from({ length: 3_499 }, (_, i) => i + 1));
  });

  test('of everything is stored in one transaction, or not at all', async () => {
    const { seed, readAll } = on();
    const step = await begin();
    const input = {
      leaseToken: step.leaseToken,
      statusMessage: 'epoch 1',
      metrics: [{ name: 'loss', value: 1, iteration: 1 }],
      telemetry: [{ cpu: 1, memoryMb: 1 }],
      log: [{ offset: 0, text: 'one\n', stream: 'STDERR' as const }],
      httpUrl: 'http://127.0.0.1:1/',
      computeTime: { cpuStartedAt: new Date(0) },
      leaseSeconds: 120,
    };
    const before = await readAll();
    const wrong = { ...input, telemetry: [{ cpu: -1, memoryMb: Number.NaN, gpuMemory: 2 }], httpUrl: 'javascript:alert(1)' };
    expect(await refusalOf(reportProgress(seed.domain, admin, wrong))).toMatchObject({
      issues: [
        { path: ['telemetry', '0', 'cpu'] },
        { path: ['telemetry', '0', 'memoryMb'] },
        { path: ['telemetry', '0', 'gpuMemory'] },
        { path: ['httpUrl'] },
      ],
    });
    expect(await readAll()).toEqual(before);
    expect(await reportProgress(seed.domain, admin, input)).toMatchObject({
      nextLogOffset: 4,
      lease: { attempt: 1, expiresAt: new Date(seed.clock.now().getTime() + 120_000) },
    });
    const after = await seed.readJob(step.job.id);
    expect(after).toMatchObject({ statusMessage: 'epoch 1', httpUrl: input.httpUrl, cpuStartedAt: new Date(0) });
    const events = await seed.readEvents(step.job.id);
    await reportProgress(seed.domain, admin, input);
    // Sending it again adds nothing.
    expect(await seed.readEvents(step.job.id)).toEqual(events);
    expect([await step.log(), await step.metrics()].map((rows) => rows.length)).toEqual([1, 1]);
  });

  test("of its container's progress is recorded once in the history of the step, and becomes the reason of its job", async () => {
    const { seed } = on();
    const step = await begin();
    const fetching = { leaseToken: step.leaseToken, reason: 'CONTAINER_CREATING' as const, description: 'Fetches the image a.' };
    const started = {
      leaseToken: step.leaseToken,
      reason: 'CONTAINER_STARTED' as const,
      log: [{ offset: 0, text: 'one\n', stream: 'STDOUT' as const }],
    };
    await reportProgress(seed.domain, admin, fetching);
    await reportProgress(seed.domain, admin, fetching);
    expect(await seed.readJob(step.job.id)).toMatchObject({
      status: 'RUNNING',
      reason: fetching.reason,
      reasonDescription: fetching.description,
    });
    expect((await reportProgress(seed.domain, admin, started)).nextLogOffset).toBe(4);
    expect((await reportProgress(seed.domain, admin, started)).nextLogOffset).toBe(4);
    expect(await seed.readJob(step.job.id)).toMatchObject({ reason: 'CONTAINER_STARTED', reasonDescription: '' });
    const changes = (await seed.readEvents(step.job.id)).filter(({ type }) => type === 'STEP_STATUS_CHANGED');
    expect(changes.map(({ from, to, reason, attempt }) => [from, to, reason, attempt])).toEqual([
      ['QUEUED', 'RUNNING', 'CLAIMED', 1],
      ['RUNNING', 'RUNNING', 'CONTAINER_CREATING', 1],
      ['RUNNING', 'RUNNING', 'CONTAINER_STARTED', 1],
    ]);
  });

  test.each([
    [{ reason: 'COMPLETED' as const }, 'reason'],
    [{ description: 'Nothing to say it of.' }, 'description'],
    [{ reason: 'CONTAINER_CREATING' as const, description: 'x'.repeat(10_001) }, 'description'],
  ])('of a reason that is no device’s to give is refused: %#', async (said, field) => {
    const { seed, readAll } = on();
    const step = await begin();
    const before = await readAll();
    const refusal = await refusalOf(reportProgress(seed.domain, admin, { leaseToken: step.leaseToken, ...said }));
    expect(refusal).toMatchObject({ issues: [{ path: [field] }] });
    expect(await readAll()).toEqual(before);
  });

  test.each([
    ['completed', (seed: Seed, leaseToken: string) => completeStep(seed.domain, admin, { leaseToken })],
    ['failed', (seed: Seed, leaseToken: string) => failStep(seed.domain, admin, { leaseToken })],
    ['given back', (seed: Seed, leaseToken: string) => releaseStep(seed.domain, admin, { leaseToken })],
    [
      'lost',
      async (seed: Seed) => {
        seed.clock.advance(61_000);
        await sweep(seed.domain);
      },
    ],
  ])('of where it is reached is forgotten when the step is %s', async (_, end) => {
    const { seed } = on();
    const step = await begin();
    const addresses = { httpUrl: 'http://127.0.0.1:1/', sshServer: 'ssh://127.0.0.1:2' };
    await reportProgress(seed.domain, admin, { leaseToken: step.leaseToken, ...addresses, internalHostname: 'host' });
    expect(await seed.readJob(step.job.id)).toMatchObject(addresses);
    await end(seed, step.leaseToken);
    expect(await seed.readJob(step.job.id)).toMatchObject({ httpUrl: null, sshServer: null, internalHostname: 'host' });
    const updates = (await seed.readEvents(step.job.id)).filter(({ type }) => type === 'JOB_UPDATED');
    expect(updates.at(-1)?.details).toEqual(['httpUrl', 'sshServer']);
  });

  test('of a second attempt is stored beside the first, with a log of its own', async () => {
    const { seed } = on();
    const { job } = await seed.createJob([{ name: 'Tried' }]);
    const say = async (text: string) => {
      const { lease } = await seed.claim(job, 0, undefined, 10);
      await reportProgress(seed.domain, admin, {
        leaseToken: lease.token,
        metrics: [{ name: 'loss', value: 1, iteration: 1 }],
        log: [{ offset: 0, text, stream: 'STDOUT' }],
      });
      return lease.token;
    };
    await say('first\n');
    seed.clock.advance(10_000);
    const leaseToken = await say('second\n');
    await completeStep(seed.domain, admin, { leaseToken, metrics: [{ name: 'loss', value: 1, iteration: 1 }] });
    const { db, t } = seed.domain.store.read;
    const chunks = await db.select().from(t.logChunks).where(eq(t.logChunks.jobId, job.id)).orderBy(asc(t.logChunks.seq));
    expect(chunks.map(({ attempt, offset, text }) => [attempt, offset, text])).toEqual([
      [1, 0, 'first\n'],
      [2, 0, 'second\n'],
    ]);
    const points = await db.select().from(t.metricPoints).where(eq(t.metricPoints.jobId, job.id));
    expect(points.map(({ attempt }) => attempt).sort()).toEqual([1, 2]);
  });

  test('of its compute times is stored to the millisecond, and repeating it changes nothing', async () => {
    const { seed } = on();
    const { leaseToken, job } = await begin();
    const at = (ms: number) => new Date(Date.UTC(2026, 0, 1, 12, 0, 0, ms));
    for (const cpuStartedAt of [at(0), at(1), at(999)]) {
      await reportProgress(seed.domain, admin, { leaseToken, computeTime: { cpuStartedAt } });
      expect((await seed.readJob(job.id)).cpuStartedAt).toEqual(cpuStartedAt);
    }
    const { updatedAt } = await seed.readJob(job.id);
    seed.clock.advance(5_000);
    await reportProgress(seed.domain, admin, { leaseToken, computeTime: { cpuStartedAt: at(999) } });
    expect((await seed.readJob(job.id)).updatedAt).toEqual(updatedAt);
  });
});
