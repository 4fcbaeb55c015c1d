/** Lines are counted while the log is written. */
import { expect, test } from 'vitest';
import { lockStream, removeOldest, shortenLog } from '../../../src/store/changes/retention.ts';
import { describeOnGround } from '../../support/ground.ts';
import { seedRandom } from '../../support/random.ts';
import { countsOf, firstLinesOf, Logger, readChunks } from './logging.ts';

describeOnGround('The numbers of the lines of a log', (on) => {
  const tryTwice = { name: 'Step', maxAttempts: 2 };

  test.each([
    ['begin with 1', ['one\n', 'two\n'], [1, 2], 2],
    ['count a line once that comes in several chunks', ['o', 'n', 'e\ntw', 'o\n'], [1, 1, 1, 2], 2],
    ['count a last line without its end', ['one\n', 'two'], [1, 2], 2],
    ['do not count a carriage return', ['10%\r20%\r', '30%\r\n', 'done\n'], [1, 1, 2], 2],
    ['count empty lines', ['\n\n', '\n'], [1, 3], 3],
    ['skip chunks without text', ['', 'one\n', '', 'two'], [1, 2], 2],
    ['are those of one long line, too', [...Array(9).fill('x'.repeat(1_000)), '\n'], Array(10).fill(1), 1],
  ])('%s', async (_, texts, firstLines, lines) => {
    const job = await on().seed.createJob();
    await new Logger(() => on().seed, job).write(...texts);
    const chunks = await readChunks(on().store.read, job.job.id);
    expect(chunks.map(({ firstLine }) => firstLine)).toEqual(firstLines);
    expect((await on().seed.readSteps(job.job.id))[0]?.logCounts).toMatchObject({ lines, bytes: texts.join('').length });
  });

  test('begin anew with each attempt, and are counted over all of them', async () => {
    const job = await on().seed.createJob([tryTwice]);
    const logger = new Logger(() => on().seed, job);
    await logger.write('one\n', 'two');
    await logger.fail();
    await logger.write('one', '\n', 'two\n');
    const chunks = await readChunks(on().store.read, job.job.id);
    expect(chunks.map(({ attempt, firstLine }) => [attempt, firstLine])).toEqual([
      [1, 1],
      [1, 2],
      [2, 1],
      [2, 1],
      [2, 2],
    ]);
    expect((await on().seed.readSteps(job.job.id))[0]?.logCounts).toMatchObject({ lines: 4, bytes: 15 });
  });

  test('are right for random logs of several steps and attempts with chunks that are sent twice', async () => {
    const { seed, store } = on();
    const random = seedRandom('numbers');
    for (let round = 0; round < 5; round++) {
      const job = await seed.createJob(Array.from({ length: 3 }, (_, i) => ({ name: `Step ${i}`, maxAttempts: 100 })));
      for (const { number } of job.steps) {
        const logger = new Logger(() => seed, job, number);
        for (let i = 0; i < 25; i++) await logger.something(random);
        await logger.complete();
      }
      const chunks = await readChunks(store.read, job.job.id);
      expect(chunks.length).toBeGreaterThan(50);
      expect(chunks.map(({ firstLine }) => firstLine)).toEqual(firstLinesOf(chunks));
      for (const step of await seed.readSteps(job.job.id))
        expect(step.logCounts ?? { bytes: 0, lines: 0 }).toMatchObject(countsOf(chunks, step));
    }
  });

  test('stay when retention removes what is before them', async () => {
    const { seed, store } = on();
    const job = await seed.createJob();
    const logger = new Logger(() => seed, job);
    await logger.write('one\n', 'two\n', 'thr');
    const remove = (how: typeof removeOldest) =>
      store.write(async (tx) => {
        const [log] = await tx.run(lockStream, { jobId: job.job.id, kind: 'log' });
        if (log) await how(tx, log, 2);
      });
    await remove((tx, log) => shortenLog(tx, log, { bytes: 3, limit: 2 }));
    await logger.write('ee\n', 'four\n');
    expect((await readChunks(store.read, job.job.id)).map(({ firstLine }) => firstLine)).toEqual([3, 3, 4]);
    await remove(removeOldest);
    await remove(removeOldest);
    expect(await readChunks(store.read, job.job.id)).toEqual([]);
    await logger.write('five\n');
    expect((await readChunks(store.read, job.job.id)).map(({ firstLine }) => firstLine)).toEqual([5]);
    expect((await seed.readSteps(job.job.id))[0]?.logCounts).toMatchObject({ lines: 5, bytes: 24 });
  });
});
