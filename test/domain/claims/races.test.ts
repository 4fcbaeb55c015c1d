/**
 * Races: any claimant may win, but exactly one does. On PostgreSQL the claimants use two gateways.
 */
import { asc } from 'drizzle-orm';
import { beforeEach, expect, test } from 'vitest';
import type { Principal } from '../../../src/domain/access/principal.ts';
import { type Claim, claimNextSteps } from '../../../src/domain/claims/claims.ts';
import { completeStep, failStep } from '../../../src/domain/claims/outcomes.ts';
import { createDomain, type Domain } from '../../../src/domain/core/domain.ts';
import { IdempotencyConflict } from '../../../src/domain/core/refusals.ts';
import { createJob } from '../../../src/domain/jobs/creation.ts';
import { Wakeups } from '../../../src/realtime/wakeups.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { pickNumber, seedRandom } from '../../support/random.ts';
import { admin, plantSeed, type Seed } from '../../support/seed.ts';

interface Gateway {
  readonly domain: Domain;
  readonly wakeups: Wakeups;
}

describeOnEachStore('In a race', (_open, create, dialect) => {
  let seed: Seed;
  let gateways: readonly [Gateway, ...Gateway[]];
  beforeEach(async () => {
    const database = await create();
    const store = await database.open();
    seed = await plantSeed(store);
    const { domain } = seed;
    gateways = [{ domain, wakeups: new Wakeups(store) }];
    if (dialect === 'postgres') {
      const second = await database.open();
      const { files, clock, limits } = domain;
      const random = seedRandom('second gateway');
      gateways = [...gateways, { domain: createDomain({ store: second, files, clock, limits, random }), wakeups: new Wakeups(second) }];
    }
  });
  const gatewayOf = (racer: number) => gateways[racer % gateways.length] ?? gateways[0];
  const claim = ({ domain, wakeups }: Gateway, principal: Principal, limit: number) =>
    claimNextSteps(domain, principal, { limit, leaseSeconds: 60, waitSeconds: 0 }, { wakeups }).then(({ claims }) => claims);
  const readAttempts = async () => {
    const { db, t } = seed.domain.store.read;
    return db.select().from(t.attempts).orderBy(asc(t.attempts.stepId), asc(t.attempts.number));
  };

  test('of 16 devices for 300 steps each step is claimed once, and attempts are numbered without a gap (P2)', async () => {
    const random = seedRandom('race');
    // 20 jobs of 15 steps: at most 20 steps can be claimed at a time, so that claimants conflict.
    const steps = Array.from({ length: 15 }, (_, i) => ({ name: `Step ${i}`, maxAttempts: 3 }));
    const jobs = await Promise.all(Array.from({ length: 20 }, () => seed.createJob(steps)));
    const devices = await Promise.all(Array.from({ length: 16 }, () => seed.registerDevice()));
    const claimed: string[] = [];
    let completed = 0;
    const end = async ({ domain }: Gateway, principal: Principal, { step, lease }: Claim) => {
      claimed.push(`${step.id} ${lease.attempt}`);
      // One attempt in twenty fails, but never the last attempt of a step.
      if (step.failedCount < 2 && pickNumber(random, 20) === 0) {
        await failStep(domain, principal, { leaseToken: lease.token });
      } else {
        await completeStep(domain, principal, { leaseToken: lease.token });
        completed += 1;
      }
    };
    await Promise.all(
      devices.map(async ({ principal }, racer) => {
        const gateway = gatewayOf(racer);
        while (completed < 300) for (const one of await claim(gateway, principal, 3)) await end(gateway, principal, one);
      }),
    );

    expect(new Set(claimed).size).toBe(claimed.length);
    const attempts = await readAttempts();
    expect(attempts.map(({ stepId, number }) => `${stepId} ${number}`).sort()).toEqual([...claimed].sort());
    for (const { job } of jobs) {
      expect((await seed.readJob(job.id)).status).toBe('SUCCEEDED');
      for (const step of await seed.readSteps(job.id)) {
        const own = attempts.filter(({ stepId }) => stepId === step.id);
        expect(own.map(({ number }) => number)).toEqual(Array.from({ length: step.attemptCount }, (_, i) => i + 1));
        expect(own.map(({ outcome }) => outcome)).toEqual([...Array(step.attemptCount - 1).fill('FAILED'), 'SUCCEEDED']);
      }
    }
  });

  test('of 16 claims for one step, one gets it', async () => {
    await seed.createJob(1);
    const devices = await Promise.all(Array.from({ length: 16 }, () => seed.registerDevice()));
    const claims = await Promise.all(devices.map(({ principal }, racer) => claim(gatewayOf(racer), principal, 1)));
    expect(claims.flat()).toHaveLength(1);
    expect(await readAttempts()).toHaveLength(1);
  });

  test('of claims by one device, no more get steps than it has slots', async () => {
    for (let i = 0; i < 10; i++) await seed.createJob(1);
    const { principal } = await seed.registerDevice({ slots: 2 });
    const claims = await Promise.all(Array.from({ length: 8 }, (_, racer) => claim(gatewayOf(racer), principal, 2)));
    expect(claims.flat()).toHaveLength(2);
  });

  test('of 16 reports that a step has ended, one is recorded (P4)', async () => {
    const { job } = await seed.createJob(1);
    const { lease } = await seed.claim(job);
    const reports = Array.from({ length: 16 }, (_, racer) => {
      const { domain } = gatewayOf(racer);
      const report = racer % 2 === 0 ? completeStep : failStep;
      return report(domain, admin, { leaseToken: lease.token });
    });
    const outcomes = await Promise.allSettled(reports);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const ends = (await seed.readEvents(job.id)).filter(({ type, from }) => type === 'STEP_STATUS_CHANGED' && from === 'RUNNING');
    expect(ends).toHaveLength(1);
  });

  test('of 16 creations with one idempotency key, one takes effect, and the others are its replay (P6)', async () => {
    const input = { projectId: seed.project.id, name: 'Once', idempotencyKey: 'the-key' };
    const created = await Promise.all(Array.from({ length: 16 }, (_, racer) => createJob(gatewayOf(racer).domain, admin, input)));
    expect(new Set(created.map(({ job }) => job.id)).size).toBe(1);
    expect(created.filter(({ isReplay }) => !isReplay)).toHaveLength(1);
    await expect(createJob(seed.domain, admin, { ...input, name: 'Twice' })).rejects.toThrow(IdempotencyConflict);
  });

  test('of claims for a step whose lease has expired, one gets it, as its next attempt (P5)', async () => {
    const { job } = await seed.createJob(1);
    const lost = await seed.claim(job, 0, await seed.registerDevice(), 10);
    seed.clock.advance(10_001);
    const devices = await Promise.all(Array.from({ length: 16 }, () => seed.registerDevice()));
    const claims = await Promise.all(devices.map(({ principal }, racer) => claim(gatewayOf(racer), principal, 1)));
    expect(claims.flat().map(({ lease }) => lease.attempt)).toEqual([2]);
    expect(await readAttempts()).toMatchObject([
      { number: 1, outcome: 'LOST', reason: 'LEASE_EXPIRED' },
      { number: 2, outcome: 'RUNNING' },
    ]);
    await expect(completeStep(seed.domain, admin, { leaseToken: lost.lease.token })).rejects.toMatchObject({ code: 'STALE_LEASE' });
  });
});
