/** Old idempotency keys are deleted without holding up anything that is due. */
import { count, eq } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { forgetNowAndThen } from '../../../src/domain/sweep/forgetting.ts';
import { describeOnGround, type Ground } from '../../support/ground.ts';

const HOUR_MS = 3_600_000;

describeOnGround('Old idempotency keys', (on) => {
  const scope = ({ seed }: Ground) => seed.project.id;
  async function plant(ground: Ground, keys: number): Promise<void> {
    const { clock, domain } = ground.seed;
    const createdAt = new Date(clock.now().getTime() - (domain.limits.idempotencyHours + 1) * HOUR_MS);
    const rows = Array.from({ length: keys }, (_, i) => ({
      ...{ scope: scope(ground), operation: 'createJob', key: `key-${i}`, input: {}, result: [], createdAt },
    }));
    await ground.store.write(async (tx) => void (await tx.db.insert(tx.t.idempotencyKeys).values(rows)));
  }
  async function left(ground: Ground): Promise<number> {
    const { db, t } = ground.store.read;
    const [row] = await db
      .select({ count: count() })
      .from(t.idempotencyKeys)
      .where(eq(t.idempotencyKeys.scope, scope(ground)));
    return row?.count ?? -1;
  }
  /** The same on a slow machine: this much time passes between two readings of the clock. */
  const slow = ({ seed: { domain, clock } }: Ground, milliseconds: number) => ({
    ...domain,
    clock: {
      ...clock,
      elapsed() {
        clock.stall(milliseconds);
        return clock.elapsed();
      },
    },
  });

  test('are deleted a few at a time, so that nothing that is due waits for all of them (P5)', async () => {
    const ground = on();
    await plant(ground, 1_000);
    const forget = forgetNowAndThen(slow(ground, 90));
    await forget();
    expect(await left(ground)).toBe(500);
    await forget();
    expect(await left(ground)).toBe(0);
  });

  test('are deleted once an hour', async () => {
    const ground = on();
    const forget = forgetNowAndThen(ground.seed.domain);
    await forget();
    await plant(ground, 3);
    await forget();
    expect(await left(ground)).toBe(3);
    ground.seed.clock.stall(HOUR_MS);
    await forget();
    expect(await left(ground)).toBe(0);
  });

  test('that could not be deleted are tried again at the next sweep, not an hour later', async () => {
    const ground = on();
    await plant(ground, 3);
    let isAway = true;
    const { store } = ground;
    const write: typeof store.write = (work) => (isAway ? Promise.reject(new Error('away')) : store.write(work));
    const forget = forgetNowAndThen({ ...ground.seed.domain, store: Object.create(store, { write: { value: write } }) });
    await expect(forget()).rejects.toThrow('away');
    isAway = false;
    await forget();
    expect(await left(ground)).toBe(0);
  });
});
