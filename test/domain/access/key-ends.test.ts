/** The watch on a key rarely reads the store, whatever happens. */
import { expect, test } from 'vitest';
import { createApiKey } from '../../../src/domain/access/key-changes.ts';
import { endOf, watchKey } from '../../../src/domain/access/key-ends.ts';
import { Wakeups } from '../../../src/realtime/wakeups.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed } from '../../support/seed.ts';

describeOnEachStore('A watch on a key', (open) => {
  const watched = async () => {
    const store = await open();
    const seed = await plantSeed(store);
    const { secret } = await createApiKey(seed.domain, admin, { name: 'k', kind: 'USER', expiresInSeconds: 60 });
    return { store, seed, principal: await seed.principalOf(secret), wakeups: new Wakeups(store) };
  };

  test('checks again once, however many wake-ups come at once', async () => {
    const { seed, principal, wakeups } = await watched();
    const before = seed.clock.waiting;
    const stop = watchKey(seed.domain, wakeups, principal, () => {});
    for (let i = 0; i < 10; i++) wakeups.stop(); // wakes everyone
    await Promise.all(Array.from({ length: 50 }, () => endOf(seed.domain, principal)));
    await expect.poll(() => seed.clock.waiting).toBe(before + 1);
    stop();
    expect(seed.clock.waiting).toBe(before);
  });

  test('shares one check and one timer among all connections of the key, and each is notified of its end (P9, P15)', async () => {
    const { store, seed, principal, wakeups } = await watched();
    const before = seed.clock.waiting;
    let reads = 0;
    const { read } = store;
    const counting = {
      ...seed.domain,
      store: Object.create(store, {
        read: {
          value: {
            ...{ db: read.db, t: read.t, dialect: read.dialect },
            run: (query: Parameters<typeof read.run>[0], values: unknown) => {
              reads += 1;
              return read.run(query, values);
            },
          },
        },
      }),
    };
    const ended: string[] = [];
    const stops = Array.from({ length: 1_000 }, () => watchKey(counting, wakeups, principal, (why) => ended.push(why)));
    await expect.poll(() => seed.clock.waiting).toBe(before + 1);
    expect(reads).toBeLessThanOrEqual(2);
    for (const stop of stops.slice(1, 500)) stop();
    expect(seed.clock.waiting).toBe(before + 1);
    for (let round = 1; round <= 3; round++) {
      seed.clock.advance(4_000);
      await expect.poll(() => seed.clock.waiting).toBe(before + 1);
    }
    expect(reads).toBeLessThanOrEqual(5);
    seed.clock.advance(60_000);
    await expect.poll(() => ended.length).toBe(501);
    expect(new Set(ended)).toEqual(new Set(['expired']));
    expect([seed.clock.waiting, wakeups.size]).toEqual([before, 0]);
    for (const stop of stops) stop();
  });

  test('does not check in a loop while the database is unreachable and the key should have expired', async () => {
    const { store, seed, principal, wakeups } = await watched();
    seed.clock.advance(61_000);
    await store.close();
    const before = seed.clock.waiting;
    const stop = watchKey(seed.domain, wakeups, principal, () => {});
    await expect.poll(() => seed.clock.waiting).toBe(before + 1);
    seed.clock.advance(900);
    expect(seed.clock.waiting).toBe(before + 1);
    stop();
  });
});
