/** Pages of a log: forward, backward, from a line, and its end. */
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { encodeCursor } from '../../../src/domain/core/cursors.ts';
import { lockStream, shortenLog } from '../../../src/store/changes/retention.ts';
import type { LogChunkRow } from '../../../src/store/schema/tables.ts';
import type { Store } from '../../../src/store/store.ts';
import { Logger, linesOf, readChunks } from '../../domain/logs/logging.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { seedRandom } from '../../support/random.ts';
import { admin, plantSeed, type Seed, type SeededJob } from '../../support/seed.ts';
import { type Ask, askAs } from '../ask.ts';

interface Page {
  readonly chunks: readonly { readonly cursor: string; readonly attempt: number; readonly firstLine: number; readonly text: string }[];
  readonly startCursor: string | null;
  readonly endCursor: string | null;
  readonly hasMore: boolean;
  readonly hasPrevious: boolean;
  readonly missed: number;
}

describeOnEachStore('A page of a log', (open) => {
  let store: Store;
  let seed: Seed;
  let ask: Ask;
  let job: SeededJob;
  let logger: Logger;
  beforeAll(async () => {
    store = await open();
    seed = await plantSeed(store);
    ask = askAs(seed.domain, admin);
  });
  beforeEach(async () => {
    job = await seed.createJob([{ name: 'Step', maxAttempts: 100 }, { name: 'Next' }]);
    logger = new Logger(() => seed, job);
  });

  const ofStep = async <T>(field: string, variables: Record<string, unknown> = {}, stepNumber = 0): Promise<T> => {
    const cursors = ['$after', '$before'].filter((name) => field.includes(name)).map((name) => `${name}: Cursor`);
    const query = `query (${['$id: ID!', '$number: Int!', ...cursors].join(', ')}) { job(id: $id) { step(number: $number) { shown: ${field} } } }`;
    return (await ask<{ job: { step: { shown: T } } }>(query, { id: job.job.id, number: stepNumber, ...variables })).job.step.shown;
  };
  const page = (field: string, variables?: Record<string, unknown>, stepNumber?: number) =>
    ofStep<Page>(
      `${field} { chunks { cursor attempt firstLine text } startCursor endCursor hasMore hasPrevious missed }`,
      variables,
      stepNumber,
    );
  const textsOf = ({ chunks }: Page) => chunks.map(({ text }) => text);
  const letters = (count: number) => Array.from({ length: count }, (_, i) => `${String.fromCharCode(97 + i)}\n`);
  async function remove(chunks: readonly LogChunkRow[]): Promise<void> {
    const gone = chunks.reduce((sum, { size }) => sum + size, 0);
    await store.write(async (tx) => {
      const [log] = await tx.run(lockStream, { jobId: job.job.id, kind: 'log' });
      if (log) await shortenLog(tx, log, { bytes: log.bytes - gone, limit: 1_000 });
    });
  }

  test('that is read backward ends at the end of the log or before a cursor, in the order of the log', async () => {
    await logger.write(...letters(6));
    const last = await page('log(last: 2)');
    expect([textsOf(last), last.hasPrevious, last.hasMore, last.missed]).toEqual([['e\n', 'f\n'], true, false, 0]);
    expect([last.startCursor, last.endCursor]).toEqual([last.chunks[0]?.cursor, last.chunks[1]?.cursor]);
    const middle = await page('log(before: $before, last: 3)', { before: last.startCursor });
    expect([textsOf(middle), middle.hasPrevious, middle.hasMore]).toEqual([['b\n', 'c\n', 'd\n'], true, true]);
    // Without `last` it is a whole page.
    const first = await page('log(before: $before)', { before: middle.startCursor });
    expect([textsOf(first), first.hasPrevious, first.hasMore]).toEqual([['a\n'], false, true]);
    const none = await page('log(before: $before)', { before: first.startCursor });
    expect(none).toEqual({ chunks: [], startCursor: null, endCursor: null, hasMore: true, hasPrevious: false, missed: 0 });
    expect(textsOf(await page('log(after: $after, first: 2)', { after: middle.endCursor }))).toEqual(['e\n', 'f\n']);
  });

  test('that is read forward says whether anything is before it', async () => {
    await logger.write(...letters(3));
    const first = await page('log(first: 2)');
    expect([first.hasPrevious, first.hasMore, first.startCursor]).toEqual([false, true, first.chunks[0]?.cursor]);
    const second = await page('log(after: $after, first: 2)', { after: first.endCursor });
    expect([textsOf(second), second.hasPrevious, second.hasMore]).toEqual([['c\n'], true, false]);
    const third = await page('log(after: $after)', { after: second.endCursor });
    expect(third).toMatchObject({ chunks: [], startCursor: null, endCursor: second.endCursor, hasPrevious: true, hasMore: false });
  });

  test('has the same chunks from either end, at any size, in a random log of two steps', async () => {
    const random = seedRandom('pages');
    for (let i = 0; i < 60; i++) await logger.something(random);
    await logger.complete();
    await new Logger(() => seed, job, 1).write('other\n');
    const stored = (await readChunks(store.read, job.job.id)).filter(({ stepNumber }) => stepNumber === 0);
    const texts = stored.map(({ text }) => text);
    for (const size of [1, 7, 100]) {
      const backward: string[] = [];
      for (let before: string | null = null, isOver = false; !isOver; ) {
        const found: Page = await page(`log(before: $before, last: ${size})`, { before });
        backward.unshift(...textsOf(found));
        before = found.startCursor;
        isOver = !found.hasPrevious;
      }
      expect(backward).toEqual(texts);
    }
    const lines = linesOf(stored);
    for (const count of [1, 2, 5, lines.length, 1_000]) {
      const { chunks, hasPrevious, endCursor } = await page(`logEnd(lines: ${count})`);
      // The last chunks in which that many lines begin, and not one chunk more.
      const shown = stored.slice(-chunks.length);
      expect(chunks.map(({ text }) => text)).toEqual(shown.map(({ text }) => text));
      expect(hasPrevious).toBe(chunks.length < stored.length);
      expect(endCursor).toBe(chunks.at(-1)?.cursor);
      const target = lines.at(-count) ?? lines[0];
      const start = stored.findLastIndex(
        ({ attempt, firstLine }, i) =>
          attempt === target?.attempt &&
          ((firstLine ?? 0) < target.line || (firstLine === target.line && (i === 0 || stored[i - 1]?.attempt !== attempt))),
      );
      const beginsNext =
        stored[start + 1]?.firstLine === target?.line && stored[start]?.text.endsWith('\n') && stored[start]?.firstLine !== target?.line;
      expect(stored.length - chunks.length, `${count} lines`).toBe(beginsNext ? start + 1 : start);
    }
    for (const { attempt, line } of lines) {
      const { chunks } = await page(`logFrom(attempt: ${attempt}, line: ${line}, first: 2)`);
      const [first, second] = chunks;
      expect([first?.attempt, (first?.firstLine ?? 0) <= line], `${attempt} ${line}`).toEqual([attempt, true]);
      // The line begins in this chunk: an earlier one ends before it, a later one begins after it.
      const from = stored.findIndex(({ attempt: of, firstLine }, i) => {
        const end = (firstLine ?? 0) + (stored[i]?.text.split('\n').length ?? 0) - 1;
        return of === attempt && (end > line || (end === line && !stored[i]?.text.endsWith('\n')));
      });
      expect(stored[from]?.text, `${attempt} ${line}`).toBe(first?.text);
      expect(second?.text).toBe(stored[from + 1]?.text);
    }
  });

  test('of the end of a log goes on without a seam, and its first chunk has the number of its line', async () => {
    await logger.write('one\n', 'two\nthree\nfo', 'ur\n', 'five');
    const end = await page('logEnd(lines: 3)');
    expect([textsOf(end), end.chunks.map(({ firstLine }) => firstLine)]).toEqual([
      ['two\nthree\nfo', 'ur\n', 'five'],
      [2, 4, 5],
    ]);
    expect(textsOf(await page('logEnd(lines: 1)'))).toEqual(['five']);
    await logger.write(' six\n');
    expect(textsOf(await page('log(after: $after)', { after: end.endCursor }))).toEqual([' six\n']);
    await logger.fail();
    await logger.write('again\n');
    expect(textsOf(await page('logEnd(lines: 2)'))).toEqual(['five', ' six\n', 'again\n']);
    expect(await ofStep('logLines')).toBe(6);
    expect(await ofStep('logBytes')).toBe(Buffer.byteLength('one\ntwo\nthree\nfour\nfive six\nagain\n'));
  });

  test('of the end of a log has a thousand chunks and about a megabyte at most', async () => {
    for (let i = 0; i < 12; i++) await logger.write(...Array(100).fill(`\r${i}%`));
    const bar = await page('logEnd(lines: 5)');
    expect(bar.chunks.length).toBeGreaterThanOrEqual(1_000);
    expect(bar.chunks.length).toBeLessThan(1_100);
    expect(bar).toMatchObject({ hasPrevious: true, hasMore: false });
    for (let i = 0; i < 5; i++) await logger.write(`${'x'.repeat(400_000)}\n`);
    const long = await page('logEnd(lines: 4)');
    expect([long.chunks.length, long.hasPrevious]).toEqual([3, true]);
  });

  test('of an empty log is empty', async () => {
    const empty = { chunks: [], startCursor: null, endCursor: null, hasMore: false, hasPrevious: false, missed: 0 };
    for (const field of ['log', 'log(last: 1)', 'logEnd', 'logFrom(attempt: 1, line: 1)']) expect(await page(field), field).toEqual(empty);
    expect([await ofStep('logLines'), await ofStep('logBytes')]).toEqual([0, 0]);
  });

  test('counts what retention has deleted, and keeps its line numbers', async () => {
    await logger.write(...letters(5));
    const before = await page('log(last: 2)');
    await remove((await readChunks(store.read, job.job.id)).slice(0, 3));
    const last = await page('log(last: 5)');
    expect([textsOf(last), last.chunks.map(({ firstLine }) => firstLine), last.missed]).toEqual([['d\n', 'e\n'], [4, 5], 3]);
    expect(await page('logEnd(lines: 9)')).toMatchObject({ chunks: [{ firstLine: 4 }, {}], missed: 3, hasPrevious: false });
    expect(await page('log(last: 1)')).toMatchObject({ missed: 0, hasPrevious: true });
    expect(await page('log(before: $before)', { before: before.startCursor })).toMatchObject({
      ...{ chunks: [], missed: 3, hasMore: true, hasPrevious: false },
      endCursor: encodeCursor(seed.domain, { kind: 'log', jobId: job.job.id, seq: 3 }),
    });
    expect(textsOf(await page('logFrom(attempt: 1, line: 2)'))).toEqual(['d\n', 'e\n']);
    expect(await ofStep('logLines')).toBe(5);
  });

  test('from a line that is not there begins with what would follow it', async () => {
    await logger.write('one\ntwo\n', 'three');
    await logger.fail();
    await logger.write('again\n');
    expect(textsOf(await page('logFrom(attempt: 1, line: 2)'))).toEqual(['one\ntwo\n', 'three', 'again\n']);
    expect(textsOf(await page('logFrom(attempt: 1, line: 4)'))).toEqual(['again\n']);
    expect(textsOf(await page('logFrom(attempt: 2, line: 2)'))).toEqual([]);
    expect(textsOf(await page('logFrom(attempt: 7, line: 1)'))).toEqual([]);
  });

  test.each([
    ['log(last: 0)', 'BAD_REQUEST: last must be at least 1; got 0.'],
    ['log(first: 0)', 'BAD_REQUEST: first must be at least 1; got 0.'],
    ['logEnd(lines: 0)', 'BAD_REQUEST: lines must be from 1 to 1000; got 0.'],
    ['logEnd(lines: 1001)', 'BAD_REQUEST: lines must be from 1 to 1000; got 1001.'],
    ['logFrom(attempt: 0, line: 1)', 'BAD_REQUEST: attempt must be at least 1; got 0.'],
    ['logFrom(attempt: 1, line: 0)', 'BAD_REQUEST: line must be at least 1; got 0.'],
    ['logFrom(attempt: 1, line: 1, first: 0)', 'BAD_REQUEST: first must be at least 1; got 0.'],
    ...['first: 1, last: 1', 'after: $after, last: 1', 'before: $after, first: 1', 'before: $after, after: $after'].map((args) => [
      `log(${args})`,
      'BAD_REQUEST: Give first and after to read forward, or last and before to read backward, not both.',
    ]),
  ])('is refused for bad input: %s', async (field, message) => {
    await logger.write('one\n');
    const { endCursor } = await page('log');
    await expect(page(field as string, { after: endCursor })).rejects.toThrow(message as string);
  });

  test('is refused before a cursor that is not of this log', async () => {
    await logger.write('one\n');
    const { domain } = seed;
    const of = { kind: 'log', jobId: job.job.id } as const;
    const another = { ...domain, store: { ...store, identity: 'another' } };
    const other = await seed.createJob();
    for (const before of [
      'nonsense',
      encodeCursor(domain, { ...of, seq: 2 }),
      encodeCursor(domain, { ...of, kind: 'metric', seq: 1 }),
      encodeCursor(domain, { ...of, jobId: other.job.id, seq: 1 }),
      encodeCursor(another, { ...of, seq: 1 }),
    ])
      await expect(page('log(before: $before)', { before })).rejects.toThrow(
        'BAD_REQUEST: before: this cursor was not returned by this stream.',
      );
  });
});
