/** What waits unsent is bounded for a connection, a key and the process (P9). */
import { expect, test } from 'vitest';
import { type Share, Unsent } from '../../src/server/connections/unsent.ts';

const limits = { connectionUnsentBytes: 100_000, keyUnsentBytes: 250_000, unsentBytes: 400_000 };
const refusalOf = (limit: keyof typeof limits) => ({ extensions: { code: 'LIMIT_EXCEEDED', limit, allowed: limits[limit], asked: null } });

/** Whether it has room by now; a turn of the event loop lets every promise settle that can. */
async function hasRoom(promise: Promise<void>): Promise<boolean> {
  let isSettled = false;
  void promise.then(() => {
    isSettled = true;
  });
  await new Promise(setImmediate);
  return isSettled;
}

test('a stream waits until its connection has room, and others that stand behind it until it has gone on (P9)', async () => {
  const connection = new Unsent(limits).open('key');
  const shares = Array.from({ length: 5 }, () => connection.share());
  const waits = shares.map((share) => share.reserve(40_000));
  expect(await Promise.all(waits.map(hasRoom))).toEqual([true, true, false, false, false]);
  shares[0]?.settle(60_000);
  expect(await Promise.all(waits.map(hasRoom))).toEqual([true, true, false, false, false]);
  shares[0]?.release();
  expect(await Promise.all(waits.map(hasRoom))).toEqual([true, true, true, false, false]);
  // One that gives up takes nobody's place.
  shares[3]?.close();
  shares[1]?.close();
  expect(await Promise.all(waits.map(hasRoom))).toEqual([true, true, true, true, true]);
});

test('connections of one key share its room, and one of another key is not kept waiting (P9)', async () => {
  const unsent = new Unsent(limits);
  const greedy = Array.from({ length: 4 }, () => unsent.open('greedy').share());
  const waits = greedy.map((share) => share.reserve(80_000));
  expect(await Promise.all(waits.map(hasRoom))).toEqual([true, true, true, false]);
  expect(await hasRoom(unsent.open('modest').share().reserve(80_000))).toBe(true);
  expect(unsent.isTight).toBe(false);
  expect(await hasRoom(unsent.open('third').share().reserve(90_000))).toBe(false);
  expect(unsent.isTight).toBe(true);
  greedy[1]?.release();
  expect(await hasRoom(waits[3] ?? Promise.reject(new Error('There are four.')))).toBe(true);
});

test('who waits for the process is let in when another key has let go of something', async () => {
  const unsent = new Unsent(limits);
  const shares = Array.from({ length: 5 }, (_, i) => unsent.open(`key ${i}`).share());
  const waits = shares.map((share) => share.reserve(100_000));
  expect(await Promise.all(waits.map(hasRoom))).toEqual([true, true, true, true, false]);
  shares[2]?.settle(10);
  expect(await Promise.all(waits.map(hasRoom))).toEqual([true, true, true, true, false]);
  shares[2]?.release();
  expect(await Promise.all(waits.map(hasRoom))).toEqual([true, true, true, true, true]);
  for (const share of shares) share.close();
  expect(unsent.bytes).toBe(0);
});

test('an answer for which there is no room is refused by the limit that it meets; a small one has room always', () => {
  const unsent = new Unsent(limits);
  const fill = (key: string): Share => {
    const share = unsent.open(key).share();
    expect(share.admit(100_000)).toBe(null);
    return share;
  };
  const first = unsent.open('a');
  expect(first.share().admit(90_000)).toBe(null);
  expect(first.share().admit(20_000)).toMatchObject(refusalOf('connectionUnsentBytes'));
  fill('a');
  expect(unsent.open('a').share().admit(90_000)).toMatchObject(refusalOf('keyUnsentBytes'));
  expect(unsent.open('a').share().admit(16_000)).toBe(null);
  fill('b');
  expect(unsent.open('b').share().admit(99_000)).toMatchObject(refusalOf('unsentBytes'));
  expect(unsent.open('b').share().admit(16_000)).toBe(null);
});

test('what is larger than a limit passes alone, so that a single row or answer can always be told', () => {
  const unsent = new Unsent(limits);
  const connection = unsent.open('a');
  const large = connection.share();
  expect(large.admit(10_000_000)).toBe(null);
  expect(connection.share().admit(20_000)).toMatchObject(refusalOf('connectionUnsentBytes'));
  large.release();
  expect(connection.share().admit(20_000)).toBe(null);
});

test('what is read for an answer counts before it is read, and no more once nobody waits for it', () => {
  const unsent = new Unsent(limits);
  const share = unsent.open('a').share();
  share.take(60_000);
  expect(() => share.take(60_000)).toThrow('to this connection are unsent');
  expect(unsent.bytes).toBe(60_000);
  share.close();
  expect(unsent.bytes).toBe(0);
  expect(() => share.take(1)).toThrow('Nobody waits');
});
