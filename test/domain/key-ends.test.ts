/** What watches a key asks after it seldom, whatever happens around it. */
import { expect, test } from 'vitest';
import { createApiKey } from '../../src/domain/key-changes.ts';
import { endOf, watchKey } from '../../src/domain/key-ends.ts';
import { Wakeups } from '../../src/realtime/wakeups.ts';
import { describeOnEachStore } from '../support/databases.ts';
import { admin, plantSeed } from '../support/seed.ts';

describeOnEachStore('Who watches a key', (open) => {
  const watched = async () => {
    const store = await open();
    const seed = await plantSeed(store);
    const { secret } = await createApiKey(seed.domain, admin, { name: 'k', kind: 'USER', expiresInSeconds: 60 });
    return { store, seed, principal: await seed.principalOf(secret), wakeups: new Wakeups(store) };
  };

  test('waits for one moment to look again, however much news comes at once', async () => {
    const { seed, principal, wakeups } = await watched();
    const before = seed.clock.waiting;
    const stop = watchKey(seed.domain, wakeups, principal, () => {});
    for (let i = 0; i < 10; i++) wakeups.stop(); // wakes everyone
    await Promise.all(Array.from({ length: 50 }, () => endOf(seed.domain, principal)));
    await expect.poll(() => seed.clock.waiting).toBe(before + 1);
    stop();
    expect(seed.clock.waiting).toBe(before);
  });

  test('does not ask without end while the database is away, and the key should have expired', async () => {
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
