/**
 * How many statements the changes send to PostgreSQL that devices and their users make all the
 * time, with BEGIN and COMMIT. Each costs PostgreSQL 0.1 ms, whatever it does.
 */
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { claimNextSteps } from '../../../src/domain/claims/claims.ts';
import { completeStep } from '../../../src/domain/claims/outcomes.ts';
import { createJob } from '../../../src/domain/jobs/creation.ts';
import { Wakeups } from '../../../src/realtime/wakeups.ts';
import type { Store } from '../../../src/store/store.ts';
import { createPostgresDatabase, type TestDatabase } from '../../support/databases.ts';
import { admin, plantSeed, type Seed, type SeededDevice } from '../../support/seed.ts';

/** The texts of all statements since the last clearing. */
function noteStatements() {
  const query = vi.spyOn(pg.Client.prototype, 'query');
  return {
    texts: () => query.mock.calls.map(([config]) => textOf(config)),
    clear: () => query.mockClear(),
  };
}

function textOf(config: unknown): string {
  return typeof config === 'string' ? config : String((config as { text: unknown }).text); // a query's configuration
}

const isHint = (text: string) => text.includes('pg_notify');
const isSequencer = (text: string) => text.includes('Sequencer');

describe('The number of statements', () => {
  let database: TestDatabase;
  let noted: ReturnType<typeof noteStatements>;
  beforeEach(async () => {
    noted = noteStatements();
    database = await createPostgresDatabase('migrated');
  });
  afterEach(async () => {
    await database.remove();
    vi.restoreAllMocks();
  });

  const plant = async (store: Store) => {
    const seed = await plantSeed(store);
    return { seed, wakeups: new Wakeups(store), device: await seed.registerDevice({ slots: 4 }) };
  };

  async function claimAndComplete({ seed, wakeups, device }: { seed: Seed; wakeups: Wakeups; device: SeededDevice }, between = () => {}) {
    const asked = { limit: 1, leaseSeconds: 60, waitSeconds: 0 };
    const { claims } = await claimNextSteps(seed.domain, device.principal, asked, { wakeups });
    between();
    await completeStep(seed.domain, device.principal, { leaseToken: claims[0]?.lease.token ?? '' });
  }

  const create = ({ domain, project }: Seed) =>
    createJob(domain, admin, { projectId: project.id, name: 'one', steps: [{ name: 'train' }] });

  test('of a job, from its creation to its end, stays as it is', async () => {
    const parts = await plant(await database.open());
    // The first of a kind makes a queue and streams.
    await create(parts.seed);
    await claimAndComplete(parts);
    const counts: Record<string, number> = {};
    const count = (name: string) => {
      counts[name] = noted.texts().filter((text) => !isSequencer(text)).length;
      noted.clear();
    };
    noted.clear();
    await create(parts.seed);
    count('createJob');
    await claimAndComplete(parts, () => count('claimNextSteps'));
    count('completeStep');
    expect(counts).toEqual({ createJob: 8, claimNextSteps: 9, completeStep: 6 });
  });

  test('of a gateway that is not elected does not grow by a hint for each change that nobody watches', async () => {
    const elected = await database.open();
    const store = await database.open();
    expect([elected.isElected, store.isElected]).toEqual([true, false]);
    const parts = await plant(store);
    // In its first seconds a gateway does not know yet what the others want to hear of.
    const hints = () => noted.texts().filter(isHint).length;
    await expect
      .poll(
        async () => {
          await create(parts.seed);
          await claimAndComplete(parts);
          noted.clear();
          for (let i = 0; i < 5; i++) {
            await create(parts.seed);
            await claimAndComplete(parts);
          }
          return hints();
        },
        { timeout: 20_000 },
      )
      .toBe(0);
    noted.clear();
    const before = performance.now();
    for (let i = 0; i < 20; i++) {
      await create(parts.seed);
      await claimAndComplete(parts);
    }
    // That events have arrived is told from time to time.
    expect(hints()).toBeLessThanOrEqual(1 + (performance.now() - before) / 400);
    await vi.waitFor(
      async () => {
        const { db, t } = store.read;
        const events = await db.select({ position: t.events.position }).from(t.events);
        expect(events.every(({ position }) => position > 0)).toBe(true);
      },
      { timeout: 5_000 },
    );
  });
});
