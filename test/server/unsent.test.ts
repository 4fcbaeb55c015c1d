/** The unsent bytes of a connection, a key and the process are limited (P9). */
import { expect, test } from 'vitest';
import { type Share, Unsent } from '../../src/server/connections/unsent.ts';

const limits = { connectionUnsentBytes: 100_000, keyUnsentBytes: 250_000, unsentBytes: 400_000 };
const refusalOf = (limit: keyof typeof limits) => ({ extensions: { code: 'LIMIT_EXCEEDED', limit, allowed: limits[limit], asked: null } });

/** Whether there was room. In a turn of the event loop, every promise settles that can. */
async function hasRoom(promise: Promise<void>): Promise<boolean> {
  let isSettled = false;
  void promise.then(() => {
    isSettled = true;
  });
  await new Promise(setImmediate);
  return isSettled;
}

test('a stream waits until its connection has room, and later streams wait for it (P9)', async () => {
  const connection = new Unsent(limits).open('key');
  const shares = Array.from({ length: 5 }, () => connection.share());
  const waits = shares.map((share) => share.reserve(40_000));
  expect(await Promise.all(waits.map(hasRoom))).toEqual([true, true, false, false, false]);
  shares[0]?.settle(60_000);
  expect(await Promise.all(waits.map(hasRoom))).toEqual([true, true, false, false, false]);
  shares[0]?.release();
  expect(await Promise.all(waits.map(hasRoom))).toEqual([true, true, true, false, false]);
  // A share that is closed keeps none of the others waiting.
  shares[3]?.close();
  shares[1]?.close();
  expect(await Promise.all(waits.map(hasRoom))).toEqual([true, true, true, true, true]);
});

test('connections of one key share its limit, and do not keep another key waiting (P9)', async () => {
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

test('a stream that waits for the limit of the process goes on when another key releases bytes', async () => {
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

test('an answer without room is refused with the limit that it meets, and a small one always has room', () => {
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

test('an answer larger than a limit passes if it is alone, so that every row can be sent', () => {
  const unsent = new Unsent(limits);
  const connection = unsent.open('a');
  const large = connection.share();
  expect(large.admit(10_000_000)).toBe(null);
  expect(connection.share().admit(20_000)).toMatchObject(refusalOf('connectionUnsentBytes'));
  large.release();
  expect(connection.share().admit(20_000)).toBe(null);
});

test('the reads for an answer count before they happen, and no longer when nobody waits for it', () => {
  const unsent = new Unsent(limits);
  const share = unsent.open('a').share();
  share.take(60_000);
  expect(() => share.take(60_000)).toThrow('to this connection are unsent');
  expect(unsent.bytes).toBe(60_000);
  share.close();
  expect(unsent.bytes).toBe(0);
  expect(() => share.take(1)).toThrow('The client no longer waits');
});
