/**
 * Many devices of a round at the same time. On PostgreSQL they use two gateways. No change has to
 * run again, because all lock rows in one order.
 */
import { beforeEach, expect, test } from 'vitest';
import { claimNextSteps } from '../../../src/domain/claims/claims.ts';
import { renewLease } from '../../../src/domain/claims/leases.ts';
import { completeStep, failStep } from '../../../src/domain/claims/outcomes.ts';
import { reportProgress } from '../../../src/domain/claims/progress.ts';
import { createDomain, type Domain } from '../../../src/domain/core/domain.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { sweep } from '../../../src/domain/sweep/timekeeping.ts';
import { Wakeups } from '../../../src/realtime/wakeups.ts';
import type { Store } from '../../../src/store/store.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { seedRandom } from '../../support/random.ts';
import { admin, plantSeed, type Seed, type SeededDevice } from '../../support/seed.ts';
import { type Fleet, raiseFleet, statusesOf } from '../fleet.ts';

const DEVICES = 8;

interface Gateway {
  readonly domain: Domain;
  readonly wakeups: Wakeups;
}

/** The same store, counting the writes that had to run again. */
function countRepeats(store: Store): { readonly store: Store; repeats(): number } {
  let repeats = 0;
  const counted: Store = Object.create(store, {
    // Everything else is the store's own.
    write: {
      value: (work: Parameters<Store['write']>[0]) => {
        let runs = 0;
        return store.write((tx) => {
          if (runs++ > 0) repeats += 1;
          return work(tx);
        });
      },
    },
  });
  return { store: counted, repeats: () => repeats };
}

describeOnEachStore('In a round', (_open, create, dialect) => {
  let seed: Seed;
  let fleet: Fleet;
  let gateways: readonly [Gateway, ...Gateway[]];
  let repeats: () => number;

  beforeEach(async () => {
    const database = await create();
    const opened = await database.open();
    seed = await plantSeed(opened);
    const stores = [opened, ...(dialect === 'postgres' ? [await database.open()] : [])];
    const counted = stores.map(countRepeats);
    const { files, models, clock, limits } = seed.domain;
    const [first, ...others] = stores.map((store, i): Gateway => {
      const random = seedRandom(`gateway ${i}`);
      return {
        domain: createDomain({ store: counted[i]?.store ?? store, files, models, clock, limits, random }),
        wakeups: new Wakeups(store),
      };
    });
    if (!first) throw new Error('There is a gateway.');
    gateways = [first, ...others];
    repeats = () => counted.reduce((sum, one) => sum + one.repeats(), 0);
    fleet = await raiseFleet(seed, DEVICES);
  });

  const gatewayOf = (racer: number) => gateways[racer % gateways.length] ?? gateways[0];
  const claim = async (racer: number, { principal }: SeededDevice, limit = 5) => {
    const { domain, wakeups } = gatewayOf(racer);
    return (await claimNextSteps(domain, principal, { limit, leaseSeconds: 60, waitSeconds: 0 }, { wakeups })).claims;
  };
  const together = <T>(work: (device: SeededDevice, racer: number) => Promise<T>) => Promise.all(fleet.devices.map(work));

  test('devices that submit at the same moment reach the quorum once, in every round', async () => {
    const rounds = 12;
    const quorum = 5;
    const { job } = await fleet.createJob({
      numDevices: quorum,
      numBufferDevices: DEVICES - quorum,
      terminationCriteria: [{ maxRounds: rounds }],
    });
    for (let round = 1; round <= rounds; round++) {
      const claims = (await together((device, racer) => claim(racer, device))).map(([one]) => one);
      await together(async ({ principal }, racer) => {
        const one = claims[racer];
        if (one) await fleet.upload(one, principal);
      });
      // The models were checked during their upload. The rest happens at the same time.
      const handedIn = await together(async ({ principal }, racer) => {
        const { domain } = gatewayOf(racer);
        const leaseToken = claims[racer]?.lease.token ?? '';
        const log = [{ offset: 0, text: 'done\n', stream: 'STDOUT' as const }];
        const metrics = [{ name: 'loss', value: racer }];
        await reportProgress(domain, principal, { leaseToken, log, metrics, statusMessage: `round ${round} of ${racer}` });
        return completeStep(domain, principal, { leaseToken, metrics, numSamples: racer + 1 });
      });
      expect(handedIn).toHaveLength(DEVICES);
      const participants = await fleet.readParticipants(job.id, round);
      expect(statusesOf(participants).toSorted()).toEqual([...Array(DEVICES - quorum).fill('LATE'), ...Array(quorum).fill('SUBMITTED')]);
      const aggregations = (await seed.readSteps(job.id)).filter((step) => step.part === 'AGGREGATE' && step.round === round);
      expect(statusesOf(aggregations)).toEqual(['QUEUED']);
      await fleet.aggregate(job.id);
    }
    expect(await seed.readJob(job.id)).toMatchObject({ status: 'SUCCEEDED', stepCount: rounds * (DEVICES + 1) });
    const events = await fleet.readRoundEvents(job.id);
    expect(events.filter((event) => event.endsWith('AGGREGATING'))).toHaveLength(rounds);
    expect((await seed.readEvents(job.id)).map(({ seq }) => seq)).toEqual(
      Array.from({ length: (await seed.readEvents(job.id)).length }, (_, i) => i + 1),
    );
    expect(repeats()).toBe(0);
  });

  test('claims, reports, renewals, failures, models and the sweep at once leave one outcome', async () => {
    for (let game = 0; game < 6; game++) {
      const { job } = await fleet.createJob({ numDevices: 4, numBufferDevices: 4, roundDeadlineSeconds: 1_000 });
      await together(async (device, racer) => {
        const { domain } = gatewayOf(racer);
        const { principal } = device;
        const [one] = await claim(racer, device);
        if (!one) return;
        const leaseToken = one.lease.token;
        const report = () =>
          reportProgress(domain, principal, {
            leaseToken,
            metrics: [{ name: 'loss', value: 1 }],
            statusMessage: `${racer}`,
            leaseSeconds: 60,
          });
        await Promise.all([report(), renewLease(domain, principal, { leaseToken, leaseSeconds: 60 }), sweep(domain)]);
        if (racer < 3) return void (await failStep(domain, principal, { leaseToken }));
        await fleet.upload(one, principal);
        await Promise.all([completeStep(domain, principal, { leaseToken }), claim(racer + 1, device)]);
      });
      expect(statusesOf(await fleet.readRounds(job.id))).toEqual(['AGGREGATING']);
      const submitted = (await fleet.readParticipants(job.id)).filter(({ status }) => status === 'SUBMITTED');
      expect(submitted).toHaveLength(4);
      expect((await fleet.aggregate(job.id)).job.status).toBe('SUCCEEDED');
    }
    expect(repeats()).toBe(0);
  });

  test('a cancellation in the middle ends the job, whichever model comes before it', async () => {
    for (let game = 0; game < 4; game++) {
      const { job } = await fleet.createJob({ numDevices: 4, numBufferDevices: 4 });
      const claims = (await together((device, racer) => claim(racer, device))).map(([one]) => one);
      await together(async ({ principal }, racer) => {
        const one = claims[racer];
        if (one) await fleet.upload(one, principal);
      });
      const ends = together(({ principal }, racer) =>
        completeStep(gatewayOf(racer).domain, principal, { leaseToken: claims[racer]?.lease.token ?? '' }),
      );
      const cancelled = cancelJob(gatewayOf(game).domain, admin, { jobId: job.id, cancelTimeoutSeconds: 30 });
      await Promise.all([ends, cancelled]);
      expect(await seed.readJob(job.id)).toMatchObject({ status: 'CANCELLED', reason: 'USER_REQUESTED' });
      expect(statusesOf(await fleet.readRounds(job.id))).toEqual(['CANCELLED']);
      expect((await seed.readSteps(job.id)).every(({ leaseHash }) => leaseHash === null)).toBe(true);
    }
    expect(repeats()).toBe(0);
  });

  test('devices that two jobs share miss no step of either while others submit', async () => {
    for (let game = 0; game < 5; game++) {
      const jobs = [await fleet.createJob({ numDevices: 6 }), await fleet.createJob({ numDevices: 6 })];
      await together(async (device, racer) => {
        const { domain } = gatewayOf(racer);
        const claims = await claim(racer, device);
        await Promise.all(
          claims.map(async (one) => {
            await fleet.upload(one, device.principal);
            await completeStep(domain, device.principal, { leaseToken: one.lease.token });
          }),
        );
      });
      for (const { job } of jobs) expect(statusesOf(await fleet.readRounds(job.id))).toEqual(['AGGREGATING']);
    }
    expect(repeats()).toBe(0);
  });
});
