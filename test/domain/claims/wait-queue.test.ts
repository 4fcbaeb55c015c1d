/**
 * The wait queue on real databases: as many claims wake as there is work for, and none sleeps while
 * a step that it could claim is queued.
 */
import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import type { Principal } from '../../../src/domain/access/principal.ts';
import { claimNextSteps } from '../../../src/domain/claims/claims.ts';
import { releaseStep } from '../../../src/domain/claims/leases.ts';
import { completeStep, failStep } from '../../../src/domain/claims/outcomes.ts';
import { type Clock, systemClock } from '../../../src/domain/core/clock.ts';
import type { Domain } from '../../../src/domain/core/domain.ts';
import { updateJob } from '../../../src/domain/jobs/update.ts';
import { updateDevice } from '../../../src/domain/steps/devices.ts';
import { Wakeups } from '../../../src/realtime/wakeups.ts';
import { describeOnGround } from '../../support/ground.ts';
import { seedRandom } from '../../support/random.ts';
import { admin, type SeededDevice } from '../../support/seed.ts';

/** A clock without safety polls: a lost wake-up makes the test hang. */
const withoutSafetyPolls: Clock = {
  now: systemClock.now,
  elapsed: systemClock.elapsed,
  after: (milliseconds, callback) => (milliseconds >= 5_000 ? () => {} : systemClock.after(milliseconds, callback)),
};

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

interface Gateway {
  readonly domain: Domain;
  readonly wakeups: Wakeups;
}

describeOnGround('Claims that wait for work', (on, database, dialect) => {
  const claim = ({ domain, wakeups }: Gateway, principal: Principal, signal: AbortSignal) =>
    claimNextSteps(domain, principal, { limit: 1, leaseSeconds: 600, waitSeconds: 50 }, { wakeups, signal });

  /** Counts the looks. Each is a write. */
  function counted(domain: Domain) {
    const counts = { looks: 0 };
    const store = new Proxy(domain.store, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        if (name === 'write') counts.looks++;
        return member.bind(target);
      },
    });
    return { counts, domain: { ...domain, store } };
  }

  /** Aborted at the end of the test, even if the test fails: no claim goes on waiting. */
  function untilTestEnds(): AbortController {
    const over = new AbortController();
    onTestFinished(() => over.abort());
    return over;
  }

  /** Starts the claims one after the other. Resolves when each of them has looked, and sleeps. */
  async function enterAll(gateway: Gateway, devices: readonly SeededDevice[], signal: AbortSignal) {
    const { waitingClaims } = gateway.domain.instruments;
    const claims = [];
    for (const { principal } of devices) {
      const before = waitingClaims.value;
      claims.push(claim(gateway, principal, signal));
      while (waitingClaims.value === before) await turn();
    }
    return claims;
  }

  test('are woken one for each step, the longest waiting first', async () => {
    const { seed, wakeups } = on();
    const devices: SeededDevice[] = [];
    for (let i = 0; i < 12; i++) devices.push(await seed.registerDevice({ slots: 1 }));
    const { counts, domain } = counted({ ...seed.domain, clock: withoutSafetyPolls });
    const over = untilTestEnds();
    const claims = await enterAll({ domain, wakeups }, devices, over.signal);
    const before = counts.looks;
    for (const i of [0, 1, 2]) {
      const { job } = await seed.createJob();
      const taken = await claims[i];
      expect(taken?.claims.map(({ step }) => [step.jobId, step.leaseDeviceId])).toEqual([[job.id, devices[i]?.device.id]]);
    }
    expect(counts.looks - before).toBe(3);
    over.abort();
    await Promise.all(claims);
    expect(wakeups.size).toBe(0);
  });

  test('pass the wake-up on until a claim that can serve the step has it, even the last in the queue', async () => {
    const { seed, wakeups } = on();
    const devices: SeededDevice[] = [];
    for (let i = 0; i < 9; i++) devices.push(await seed.registerDevice({ slots: 1, labels: [{ key: 'n', value: String(i) }] }));
    const domain = { ...seed.domain, clock: withoutSafetyPolls };
    const over = untilTestEnds();
    const claims = await enterAll({ domain, wakeups }, devices, over.signal);
    const { job } = await seed.createJob([{ name: 'Rare', requiredLabels: [{ key: 'n', value: '8' }] }]);
    expect((await claims[8])?.claims.map(({ step }) => step.jobId)).toEqual([job.id]);
    over.abort();
    await Promise.all(claims);
  });

  test('are woken by a step pinned to their device, and no other claim is', async () => {
    const { seed, wakeups } = on();
    const devices: SeededDevice[] = [];
    for (let i = 0; i < 6; i++) devices.push(await seed.registerDevice({ slots: 1 }));
    const { counts, domain } = counted({ ...seed.domain, clock: withoutSafetyPolls });
    const over = untilTestEnds();
    const claims = await enterAll({ domain, wakeups }, devices, over.signal);
    const before = counts.looks;
    const { job } = await seed.createJob([{ name: 'Its own', pinnedDeviceId: devices[4]?.device.id ?? '' }]);
    expect((await claims[4])?.claims.map(({ step }) => step.jobId)).toEqual([job.id]);
    expect(counts.looks - before).toBe(1);
    over.abort();
    await Promise.all(claims);
  });

  test('pass the wake-up on when they give up just as they are woken', async () => {
    const { seed, wakeups } = on();
    const domain = { ...seed.domain, clock: withoutSafetyPolls };
    for (let round = 0; round < 20; round++) {
      const [hasty, patient] = [untilTestEnds(), untilTestEnds()];
      const first = claim({ domain, wakeups }, admin, hasty.signal);
      const second = claim({ domain, wakeups }, admin, patient.signal);
      const created = seed.createJob();
      for (let i = 0; i < round; i++) await turn();
      hasty.abort();
      const { job } = await created;
      const taken = await Promise.race([second, first.then(({ claims }) => (claims.length > 0 ? { claims } : second))]);
      expect(taken.claims.map(({ step }) => step.jobId)).toEqual([job.id]);
      patient.abort();
      await Promise.all([first, second]);
    }
    expect(wakeups.size).toBe(0);
  });

  test.runIf(dialect === 'postgres')('look again for a step that another change had locked and then left', async () => {
    const { seed, wakeups } = on();
    const { job, steps } = await seed.createJob();
    const holder = new pg.Client({ connectionString: database().url ?? '' });
    await holder.connect();
    await holder.query('begin');
    await holder.query('select 1 from steps where id = $1 for update', [steps[0]?.id]);
    const { counts, domain } = counted({ ...seed.domain, clock: withoutSafetyPolls });
    const over = untilTestEnds();
    const claiming = claim({ domain, wakeups }, admin, over.signal);
    // Skipped, not waited for.
    while (counts.looks < 2) await turn();
    await holder.query('rollback');
    await holder.end();
    expect((await claiming).claims.map(({ step }) => step.jobId)).toEqual([job.id]);
  });

  test(`never sleep while a step that they could claim is queued: 24 claims, 240 steps of different demands, ${dialect === 'postgres' ? 'two gateways, ' : ''}and no safety poll`, async () => {
    const { seed, wakeups } = on();
    const random = seedRandom('the line');
    const pick = (below: number) => random(4).readUInt32BE() % below;
    const gateways: Gateway[] = [{ domain: { ...seed.domain, clock: withoutSafetyPolls }, wakeups }];
    if (dialect === 'postgres') {
      const store = await database().open();
      gateways.push({ domain: { ...seed.domain, clock: withoutSafetyPolls, store }, wakeups: new Wakeups(store) });
    }
    const gatewayOf = (i: number): Gateway => gateways[i % gateways.length] ?? { domain: seed.domain, wakeups };
    const kinds = ['a', 'b', 'c'];
    const devices: SeededDevice[] = [];
    for (let i = 0; i < 24; i++)
      devices.push(
        await seed.registerDevice({ slots: 1 + (i % 2), labels: [{ key: 'kind', value: kinds[i % 3] ?? '' }], resources: { gpu: i % 4 } }),
      );
    const over = untilTestEnds();
    let open = 240;
    const work = async (i: number) => {
      const gateway = gatewayOf(i);
      const principal = devices[i]?.principal ?? admin;
      while (!over.signal.aborted) {
        // Some claims give up at a random moment.
        const hasty = new AbortController();
        const claiming = claim(gateway, principal, AbortSignal.any([over.signal, hasty.signal]));
        if (i % 5 === 4) {
          for (let turns = pick(40); turns > 0; turns--) await turn();
          hasty.abort();
        }
        for (const { step, lease } of (await claiming).claims) {
          for (let turns = pick(4); turns > 0; turns--) await turn();
          const leaseToken = lease.token;
          const what = step.failedCount < 2 ? pick(10) : 9;
          if (what === 0) await releaseStep(gateway.domain, principal, { leaseToken });
          else if (what === 1) await failStep(gateway.domain, principal, { leaseToken });
          else {
            await completeStep(gateway.domain, principal, { leaseToken });
            if (--open === 0) over.abort();
          }
        }
      }
    };
    const submit = async () => {
      for (let job = 0; job < 60; job++) {
        const steps = Array.from({ length: 4 }, (_, i) => ({
          name: `Step ${i}`,
          maxAttempts: 100,
          ...(pick(3) === 0 ? { requiredLabels: [{ key: 'kind', value: kinds[pick(3)] ?? '' }] } : {}),
          ...(pick(4) === 0 ? { resources: { gpu: 1 + pick(3) } } : {}),
          ...(pick(8) === 0 ? { pinnedDeviceId: devices[pick(24)]?.device.id ?? '' } : {}),
        }));
        // No device has both this kind and this number of GPUs: such a step would wait for ever.
        const possible = steps.map(({ requiredLabels, resources, ...step }) =>
          resources ? { ...step, resources } : { ...step, requiredLabels },
        );
        const created = await seed.createJob(
          possible.map(({ pinnedDeviceId, ...step }) => (pinnedDeviceId ? { name: step.name, maxAttempts: 100, pinnedDeviceId } : step)),
        );
        // Changes that lock steps for a moment without moving them.
        if (pick(3) === 0) await updateJob(seed.domain, admin, { jobId: created.job.id, priority: pick(5) });
        if (pick(5) === 0) await updateDevice(seed.domain, admin, { deviceId: devices[pick(24)]?.device.id ?? '', slots: 1 + pick(3) });
        for (let turns = pick(30); turns > 0; turns--) await turn();
      }
    };
    await Promise.all([submit(), ...devices.map((_, i) => work(i))]);
    expect(open).toBe(0);
    expect(gateways.map(({ wakeups }) => wakeups.size)).toEqual(gateways.map(() => 0));
    for (const { wakeups } of gateways.slice(1)) wakeups.close();
  }, 120_000);
});
