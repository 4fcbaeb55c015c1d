/** Leases after a time without a gateway, or a jump of the clock. */
import { asc } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { renewLeases } from '../../../src/store/changes/deadlines.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { plantSeed } from '../../support/seed.ts';

describeOnEachStore('Leases that are renewed all at once', (open) => {
  async function hold() {
    const store = await open();
    const seed = await plantSeed(store);
    const start = seed.clock.now().getTime();
    for (const seconds of [60, 60, 300, 30.25]) await seed.claim(await seed.createJob(2), 0, undefined, seconds);
    const endsOf = async () => {
      const { db, t } = store.read;
      const steps = await db.select().from(t.steps).orderBy(asc(t.steps.id));
      const attempts = await db.select().from(t.attempts).orderBy(asc(t.attempts.stepId));
      const after = (at: Date | null) => (at === null ? null : (at.getTime() - start) / 1_000);
      const held = steps.map(({ leaseExpiresAt }) => after(leaseExpiresAt)).filter((end) => end !== null);
      expect(attempts.map(({ leaseExpiresAt }) => after(leaseExpiresAt))).toEqual(held);
      expect(steps.length).toBe(8);
      return held.sort((a, b) => a - b);
    };
    const renew = (seconds: number, which: 'all' | 'shorter') =>
      store.write((tx) => renewLeases(tx, new Date(start + seconds * 1_000), which));
    return { endsOf, renew };
  }

  test('get the time that each was claimed for, in their steps and in their attempts (P13)', async () => {
    const { endsOf, renew } = await hold();
    expect(await endsOf()).toEqual([30.25, 60, 60, 300]);
    await renew(1_000, 'all');
    expect(await endsOf()).toEqual([1_030.25, 1_060, 1_060, 1_300]);
    await renew(0.001, 'all');
    expect(await endsOf()).toEqual([30.251, 60.001, 60.001, 300.001]);
  });

  test('keep a later expiry, if only shorter leases are to be extended (P13)', async () => {
    const { endsOf, renew } = await hold();
    await renew(-10, 'shorter');
    expect(await endsOf()).toEqual([30.25, 60, 60, 300]);
    await renew(10, 'shorter');
    expect(await endsOf()).toEqual([40.25, 70, 70, 310]);
  });
});
