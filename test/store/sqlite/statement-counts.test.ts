/**
 * How many statements the changes run that devices and their users make all the time. A number that
 * grows makes all of them slower, and no other test would show it.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { claimNextSteps } from '../../../src/domain/claims/claims.ts';
import { completeStep } from '../../../src/domain/claims/outcomes.ts';
import { reportProgress } from '../../../src/domain/claims/progress.ts';
import { createJob } from '../../../src/domain/jobs/creation.ts';
import { Wakeups } from '../../../src/realtime/wakeups.ts';
import type { Store } from '../../../src/store/store.ts';
import { createSqliteDatabase, type TestDatabase } from '../../support/databases.ts';
import { noteStatements } from '../../support/noted-statements.ts';
import { admin, plantSeed, type Seed, type SeededDevice } from '../../support/seed.ts';

describe('The number of statements', () => {
  const notes: string[] = [];
  let stopNoting: () => void;
  let database: TestDatabase;
  let store: Store;
  let seed: Seed;
  let device: SeededDevice;
  beforeEach(async () => {
    stopNoting = noteStatements(notes);
    database = await createSqliteDatabase();
    store = await database.open();
    seed = await plantSeed(store);
    device = await seed.registerDevice({ slots: 4 });
    // The first of a kind makes a queue and streams, and prepares the statements.
    await run(1);
  });
  afterEach(async () => {
    stopNoting();
    await database.remove();
  });

  const texts: string[] = [];
  const count = async (change: () => Promise<unknown>): Promise<number> => {
    notes.length = 0;
    await change();
    texts.push(...notes);
    return notes.filter((text) => !/^(begin|commit|insert into streams)/i.test(text)).length;
  };

  /** A job from its creation to its end, with a report of so many points. */
  async function run(points: number): Promise<Record<string, number>> {
    const { domain } = seed;
    const wakeups = new Wakeups(store);
    let leaseToken = '';
    const metrics = Array.from({ length: points }, (_, i) => ({ name: 'loss', value: i, iteration: i }));
    const telemetry = Array.from({ length: points }, (_, i) => ({ at: new Date(i * 1_000), cpu: 1, memoryMb: 1 }));
    const log = Array.from({ length: points }, (_, i) => ({ offset: i * 5, text: 'line\n', stream: 'STDOUT' as const }));
    return {
      createJob: await count(() => createJob(domain, admin, { projectId: seed.project.id, name: 'one', steps: [{ name: 'train' }] })),
      claimNextSteps: await count(async () => {
        const asked = { limit: 1, leaseSeconds: 60, waitSeconds: 0 };
        const { claims } = await claimNextSteps(domain, device.principal, asked, { wakeups });
        leaseToken = claims[0]?.lease.token ?? '';
      }),
      'a report of metrics': await count(() => reportProgress(domain, device.principal, { leaseToken, metrics })),
      'a report of telemetry': await count(() => reportProgress(domain, device.principal, { leaseToken, telemetry })),
      'a report of the log': await count(() => reportProgress(domain, device.principal, { leaseToken, log })),
      completeStep: await count(() => completeStep(domain, device.principal, { leaseToken })),
    };
  }

  test('of each change of a job, from its creation to its end, stays as it is', async () => {
    expect(await run(100)).toEqual({
      createJob: 7,
      claimNextSteps: 11,
      'a report of metrics': 10,
      'a report of telemetry': 8,
      'a report of the log': 8,
      completeStep: 9,
    });
  });

  test('of each change of a job makes SQLite neither copy pages nor compile anew', async () => {
    texts.length = 0;
    await run(100);
    // SQLite copies what these change, to undo a part of them.
    expect(texts.filter((text) => /^update "(jobs|steps)" .* returning /.test(text))).toEqual([]);
    expect(texts.filter((text) => /^insert into (?!.* on conflict ).* values \(.*\), \(/.test(text))).toEqual([]);
    // It compiles these again for each value.
    expect(texts.filter((text) => /(?:[=<>]|\blimit) \?/.test(text))).toEqual([]);
  });
});
