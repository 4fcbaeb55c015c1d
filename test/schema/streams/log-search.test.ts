/** Finding text in a log. */
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { encodeCursor } from '../../../src/domain/core/cursors.ts';
import { MOST_SEARCHED_BYTES, searchLog } from '../../../src/domain/logs/search.ts';
import type { Store } from '../../../src/store/store.ts';
import { Logger, linesOf, readChunks } from '../../domain/logs/logging.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { seedRandom } from '../../support/random.ts';
import { admin, plantSeed, type Seed, type SeededJob } from '../../support/seed.ts';
import { type Ask, askAs } from '../ask.ts';

interface Match {
  readonly cursor: string;
  readonly attempt: number;
  readonly line: number;
  readonly text: string;
}
interface Page {
  readonly matches: readonly Match[];
  readonly endCursor: string | null;
  readonly hasMore: boolean;
}

const MEGABYTE = 1_000_000;

describeOnEachStore('A search of a log', (open) => {
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

  async function find(text: string, args: Record<string, unknown> = {}, stepNumber = 0): Promise<Page> {
    const query = `query ($id: ID!, $number: Int!, $text: String!, $attempt: Int, $after: Cursor, $first: Int! = 50) {
      job(id: $id) { step(number: $number) { logSearch(text: $text, attempt: $attempt, after: $after, first: $first) {
        matches { cursor attempt line text } endCursor hasMore } } } }`;
    const variables = { id: job.job.id, number: stepNumber, text, ...args };
    return (await ask<{ job: { step: { logSearch: Page } } }>(query, variables)).job.step.logSearch;
  }
  /** Page after page. */
  async function findAll(text: string, first: number, attempt?: number): Promise<Match[]> {
    const all: Match[] = [];
    for (let after: string | null = null, isOver = false; !isOver; ) {
      const found: Page = await find(text, { after, first, attempt });
      expect(found.matches.length).toBeLessThanOrEqual(first);
      all.push(...found.matches);
      after = found.endCursor;
      isOver = !found.hasMore;
    }
    return all;
  }
  const shown = (matches: readonly Match[]) => matches.map(({ attempt, line, text }) => [attempt, line, text]);

  test.each([
    ['a line in several chunks', ['lo', 's', 's 0.2\n'], 'loss', [[1, 1, 'loss 0.2']]],
    [
      'upper and lower case',
      ['LOSS\nLoss\nlosing\n'],
      'loSS',
      [
        [1, 1, 'LOSS'],
        [1, 2, 'Loss'],
      ],
    ],
    ['a last line without its end', ['one\ntwo'], 'two', [[1, 2, 'two']]],
    ['a line once that contains it twice', ['one one\n'], 'one', [[1, 1, 'one one']]],
    ['signs that mean something in a pattern', ['a.c\nabc\n(a|b)*\n'], 'a.c', [[1, 1, 'a.c']]],
    ['the last write of a line', ['10%\r20%\r', '30%\n', 'x10%\n'], '10%', [[1, 2, 'x10%']]],
    ['lines that end with \\r\\n', ['one\r', '\ntwo\r\n'], 'one', [[1, 1, 'one']]],
    ['text without its colours', ['\u001b[32mlo\u001b[0mss\n'], 'loss', [[1, 1, 'loss']]],
    ['no line break, which is in no line', ['one\ntwo\n'], 'onetwo', []],
    ['letters of other alphabets', ['Größe\n', '損失\n'], '損', [[1, 2, '損失']]],
  ])('finds %s', async (_, texts, text, found) => {
    await logger.write(...texts);
    expect(shown((await find(text)).matches)).toEqual(found);
  });

  test('finds the same as a look at every line, at any size of its pages, and in one attempt', async () => {
    const random = seedRandom('search');
    for (let i = 0; i < 80; i++) await logger.something(random);
    const lines = linesOf(await readChunks(store.read, job.job.id));
    for (const text of ['o', 'one', 'half', 'y', '20', 'é', 'long long', 'absent']) {
      const wanted = lines
        .map(({ text, ...of }) => ({ ...of, text: text.replace(/\r+$/, '').replace(/^.*\r/s, '') }))
        .filter((line) => line.text.includes(text));
      for (const first of [1, 3, 50])
        expect(shown(await findAll(text, first)), text).toEqual(wanted.map((line) => [line.attempt, line.line, line.text]));
      for (const attempt of new Set(lines.map((line) => line.attempt))) {
        const ofAttempt = wanted.filter((line) => line.attempt === attempt);
        expect(shown(await findAll(text, 2, attempt))).toEqual(ofAttempt.map((line) => [line.attempt, line.line, line.text]));
      }
    }
  });

  test('goes on after each of its matches, in what is written later, and into the log from there', async () => {
    await logger.write('one\ntwo o', 'ne\nthree\n', 'o');
    const { matches, endCursor, hasMore } = await find('one');
    expect([shown(matches), hasMore]).toEqual([
      [
        [1, 1, 'one'],
        [1, 2, 'two one'],
      ],
      false,
    ]);
    expect(shown((await find('one', { after: matches[0]?.cursor })).matches)).toEqual([[1, 2, 'two one']]);
    await logger.write('ne more\none\n');
    expect(shown((await find('one', { after: endCursor })).matches)).toEqual([
      [1, 4, 'one more'],
      [1, 5, 'one'],
    ]);
    const query = 'query ($id: ID!, $after: Cursor) { job(id: $id) { step(number: 0) { log(after: $after) { chunks { text } } } } }';
    const log = await ask<object>(query, { id: job.job.id, after: matches[1]?.cursor });
    expect(log).toMatchObject({ job: { step: { log: { chunks: [{ text: 'one\ntwo o' }, {}, {}, {}] } } } });
  });

  test('does not find a line again that has been found before it was written to its end', async () => {
    await logger.write('one');
    const { matches, endCursor } = await find('one');
    expect(matches).toHaveLength(1);
    await logger.write(' one\n', 'two one\n');
    expect(shown((await find('one', { after: endCursor })).matches)).toEqual([[1, 2, 'two one']]);
  });

  test('stops after 8 MB and says where to go on, also if one chunk after the other has no line break (P9)', async () => {
    const filler = `${'x'.repeat(99)}\n`.repeat(9_000);
    for (let i = 0; i < 12; i++) await logger.write(i === 10 ? `${filler}needle\n` : filler);
    const first = await find('needle');
    expect(first).toMatchObject({ matches: [], hasMore: true });
    const second = await find('needle', { after: first.endCursor });
    expect(second).toMatchObject({ matches: [{ line: 99_001, text: 'needle' }], hasMore: false });
    for (let i = 0; i < 12; i++) await logger.write('y'.repeat(900_000));
    await logger.write('the nee', 'dle', 'y'.repeat(70_000), ' needle');
    const found = await findAll('needle', 50);
    expect(found.map(({ line }) => line)).toEqual([99_001, 108_002]);
    expect(found[1]?.text).toMatch(/^…y+the needley+…$/);
    expect(found[1]?.text).toHaveLength(500);
  });

  test('reads a limited amount at once, takes it from the budget of the answer, and ends when nobody waits (P9)', async () => {
    for (let i = 0; i < 4; i++) await logger.write('z'.repeat(200_000));
    const held: number[] = [];
    const asked = { jobId: job.job.id, stepNumber: 0, text: 'needle', attempt: null, from: { seq: 0, line: null }, first: 50 };
    await searchLog(seed.domain, { ...asked, hold: (bytes) => held.push(bytes), signal: undefined });
    expect(held).toEqual(Array(4).fill(200_000));
    const controller = new AbortController();
    const isAborted = searchLog(seed.domain, {
      ...asked,
      hold: () => controller.abort(new Error('gone')),
      signal: controller.signal,
    });
    await expect(isAborted).rejects.toThrow('gone');
    const isRefused = searchLog(seed.domain, {
      ...asked,
      hold: () => {
        throw new Error('no room');
      },
      signal: undefined,
    });
    await expect(isRefused).rejects.toThrow('no room');
    expect(MOST_SEARCHED_BYTES).toBeGreaterThan(MEGABYTE);
  });

  test('finds text in a line of twenty thousand chunks', async () => {
    for (let i = 0; i < 20; i++) await logger.write(...Array(1_000).fill('.'));
    await logger.write('needle');
    expect(await findAll('needle', 50)).toMatchObject([{ line: 1 }]);
  });

  test('of a step finds nothing of another step', async () => {
    await logger.write('one\n');
    await logger.complete();
    await new Logger(() => seed, job, 1).write('two\n');
    expect(shown((await find('o')).matches)).toEqual([[1, 1, 'one']]);
    expect(shown((await find('o', {}, 1)).matches)).toEqual([[1, 1, 'two']]);
  });

  test('of an empty log finds nothing', async () => {
    expect(await find('one')).toEqual({ matches: [], endCursor: null, hasMore: false });
    expect(await find('one', { attempt: 3 })).toEqual({ matches: [], endCursor: null, hasMore: false });
  });

  test.each([
    ['an empty text', '', {}, 'text must have from 1 to 200 characters; got 0.'],
    ['a long text', 'x'.repeat(201), {}, 'text must have from 1 to 200 characters; got 201.'],
    ['a line break', 'a\nb', {}, 'text must be on one line.'],
    ['no matches at all', 'a', { first: 0 }, 'first must be at least 1; got 0.'],
    ['an impossible attempt', 'a', { attempt: 0 }, 'attempt must be at least 1; got 0.'],
    ['a made-up cursor', 'a', { after: 'nonsense' }, 'after: this cursor was not returned by this stream.'],
  ])('is refused for %s', async (_, text, args, message) => {
    await expect(find(text, args)).rejects.toThrow(`BAD_REQUEST: ${message}`);
  });

  test('is refused after a match in the log of another step, job or database', async () => {
    await logger.write('one\n');
    await logger.complete();
    await new Logger(() => seed, job, 1).write('one\n');
    const [match] = (await find('one')).matches;
    const refusal = 'BAD_REQUEST: after: this cursor was not returned by this stream.';
    await expect(find('one', { after: match?.cursor }, 1)).rejects.toThrow(refusal);
    const of = { kind: 'log', jobId: job.job.id, seq: 0, line: { stepNumber: 0, attempt: 1, line: 1 } } as const;
    const other = await seed.createJob();
    for (const after of [
      encodeCursor(seed.domain, { ...of, jobId: other.job.id }),
      encodeCursor({ ...seed.domain, store: { ...store, identity: 'another' } }, of),
      encodeCursor(seed.domain, { ...of, seq: 3 }),
    ])
      await expect(find('one', { after })).rejects.toThrow(refusal);
    expect((await find('one', { after: encodeCursor(seed.domain, of) })).matches).toHaveLength(1);
  });
});
