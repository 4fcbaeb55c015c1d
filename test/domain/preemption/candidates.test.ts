/** The choice of the steps to evict, and reservations. */
import { beforeEach, describe, expect, test } from 'vitest';
import { type Claim, claimStep } from '../../../src/domain/claims/claims.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { preempt } from '../../../src/domain/preemption/preemption.ts';
import { updateDevice } from '../../../src/domain/steps/devices.ts';
import { claimableBy } from '../../../src/domain/steps/matching.ts';
import { sweep } from '../../../src/domain/sweep/timekeeping.ts';
import { describeOnGround, refusalOf } from '../../support/ground.ts';
import { admin, type Seed } from '../../support/seed.ts';
import { whyNot } from '../../support/why-not.ts';
import { type Setup, setupOn } from './setup.ts';

describeOnGround('Preemption', (on) => {
  let setup: Setup;
  let seed: Seed;
  beforeEach(() => {
    setup = setupOn(on());
    seed = setup.seed;
  });

  describe('evicts no step', () => {
    test.each([
      { why: 'of a higher priority', eviction: { priority: 1 }, waiting: {} },
      { why: 'for a step that is preemptible itself', eviction: {}, waiting: { isPreemptible: true } },
      { why: 'whose going would not be enough', eviction: { cpu: 1 }, waiting: { cpu: 5 } },
    ])('$why', async ({ eviction, waiting }) => {
      const device = await seed.registerDevice({ slots: 1, resources: { cpu: 4 } });
      const claim = await setup.occupy(device, 'Evicted', eviction);
      await setup.queue('Waiting', waiting);
      await preempt(seed.domain);
      expect(await setup.isTold(claim)).toBe(false);
    });

    test('that is not preemptible', async () => {
      const device = await seed.registerDevice({ slots: 1 });
      const claim = await seed.claim(await seed.createJob(1), 0, device);
      const { job } = await seed.createJob(1, { priority: 100 });
      await preempt(seed.domain);
      expect(await setup.isTold(claim)).toBe(false);
      // Tests of one file share a store, and one of them a device of all projects.
      await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 0 });
    });

    test('while the other step has somewhere to run', async () => {
      const [full, free] = [await setup.smallDevice(), await seed.registerDevice({ resources: { cpu: 1 } })];
      const claim = await setup.occupy(full, 'Evicted');
      const job = await setup.queue('Waiting');
      await preempt(seed.domain);
      expect(await setup.isTold(claim)).toBe(false);
      expect((await setup.claimOn(free)).map(({ step }) => step.jobId)).toEqual([job.id]);
    });

    test('on a device that drains, and never counts on an offline one', async () => {
      const draining = await setup.smallDevice();
      const claim = await setup.occupy(draining, 'Evicted');
      await updateDevice(seed.domain, admin, { deviceId: draining.device.id, isDraining: true });
      await setup.smallDevice();
      const there = await setup.smallDevice();
      const eviction = await setup.occupy(there, 'Evicted');
      await setup.queue('Waiting');
      seed.clock.advance(50_000);
      await setup.renew(claim);
      await setup.renew(eviction);
      seed.clock.advance(20_000);
      await preempt(seed.domain);
      expect([await setup.isTold(claim), await setup.isTold(eviction)]).toEqual([false, true]);
    });

    test('twice for the same step, even when two gateways decide at once', async () => {
      const devices = [await setup.smallDevice(), await setup.smallDevice()];
      const claims = [];
      for (const device of devices) claims.push(await setup.occupy(device, 'Evicted'));
      await setup.queue('Waiting');
      await Promise.all([preempt(seed.domain), preempt(seed.domain), preempt(seed.domain)]);
      await preempt(seed.domain);
      await sweep(seed.domain);
      const told = await Promise.all(claims.map(setup.isTold));
      expect(told.filter(Boolean)).toHaveLength(1);
      await setup.queue('Also waiting');
      await sweep(seed.domain);
      expect(await Promise.all(claims.map(setup.isTold))).toEqual([true, true]);
    });
  });

  describe('chooses', () => {
    const told = async (claims: Record<string, Claim>) => {
      const names = [];
      for (const [name, claim] of Object.entries(claims)) if (await setup.isTold(claim)) names.push(name);
      return names;
    };

    test('the fewest steps, even if they are older', async () => {
      const device = await seed.registerDevice({ resources: { cpu: 8 } });
      const claims = {
        large: await setup.occupy(device, 'Large', { cpu: 4 }),
        small: await setup.occupy(device, 'Small', { cpu: 2 }),
        smaller: await setup.occupy(device, 'Smaller', { cpu: 2 }),
      };
      await setup.queue('Waiting', { cpu: 4 });
      await preempt(seed.domain);
      expect(await told(claims)).toEqual(['large']);
    });

    test('as many steps as needed, and none that may stay', async () => {
      const device = await seed.registerDevice({ resources: { cpu: 8 } });
      const claims = {
        one: await setup.occupy(device, 'One', { cpu: 1 }),
        three: await setup.occupy(device, 'Three', { cpu: 3 }),
        two: await setup.occupy(device, 'Two', { cpu: 2 }),
        another: await setup.occupy(device, 'Another', { cpu: 2 }),
      };
      const job = await setup.queue('Waiting', { cpu: 5 });
      await preempt(seed.domain);
      expect(await told(claims)).toEqual(['three', 'another']);
      await setup.release(claims.three);
      expect(await setup.claimOn(device)).toEqual([]);
      await setup.release(claims.another);
      const [claim] = await setup.claimOn(device);
      expect(claim?.step.jobId).toBe(job.id);
      expect((await seed.readEvents(job.id)).at(-1)?.description).toMatch(/, in place of step 0 of Another .* and step 0 of Three /);
    });

    test('the steps of the lowest priority, then the youngest, over all devices', async () => {
      const devices = [
        await seed.registerDevice({ slots: 2, resources: { cpu: 2 } }),
        await seed.registerDevice({ slots: 2, resources: { cpu: 2 } }),
      ];
      const [one, two] = devices;
      if (!one || !two) throw new Error('There are two devices.');
      const claims = {
        high: await setup.occupy(one, 'High', { priority: 2 }),
        old: await setup.occupy(one, 'Old', { priority: 1 }),
        middle: await setup.occupy(two, 'Middle', { priority: 1 }),
        young: await setup.occupy(two, 'Young', { priority: 1 }),
      };
      await setup.queue('First', { priority: 2 });
      await preempt(seed.domain);
      expect(await told(claims)).toEqual(['young']);
      await setup.queue('Second', { priority: 2 });
      await preempt(seed.domain);
      expect(await told(claims)).toEqual(['middle', 'young']);
    });

    test('for those of the highest priority first', async () => {
      const device = await setup.smallDevice();
      const eviction = await setup.occupy(device, 'Evicted');
      await setup.queue('Low');
      const high = await setup.queue('High', { priority: 5 });
      await preempt(seed.domain);
      await setup.release(eviction);
      expect((await setup.claimOn(device)).map(({ step }) => step.jobId)).toEqual([high.id]);
    });
  });

  describe('reserves the capacity', () => {
    test('for the step that others were evicted for, also against older ones of its priority', async () => {
      const device = await setup.smallDevice();
      const eviction = await setup.occupy(device, 'Evicted');
      const older = await setup.queue('Older', { isPreemptible: true });
      const urgent = await setup.queue('Urgent');
      await preempt(seed.domain);
      const [waiting] = await seed.readSteps(urgent.id);
      if (!waiting) throw new Error('The job has a step.');
      expect(await whyNot(seed.domain, admin, waiting, null)).toMatchObject([
        { requirement: 'slots' },
        { requirement: 'cpu' },
        { requirement: 'preemption' },
      ]);
      await setup.release(eviction);
      const [passed] = await seed.readSteps(older.id);
      if (!passed) throw new Error('The job has a step.');
      expect(await whyNot(seed.domain, admin, passed, null)).toMatchObject([{ requirement: 'reserved' }]);
      expect(await whyNot(seed.domain, admin, waiting, null)).toEqual([]);
      expect(await claimableBy(seed.domain, device.device.id)).toHaveLength(1);
      const byName = claimStep(seed.domain, device.principal, { jobId: older.id, stepNumber: 0, leaseSeconds: 60 });
      expect(await refusalOf(byName)).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: ['deviceId'], message: /kept/ }] });
      const [claim] = await setup.claimOn(device);
      expect(claim?.step.jobId).toBe(urgent.id);
      await setup.complete(claim as Claim); // it is there: see the line above
      // The evicted step is queued behind the steps that waited before.
      const [next] = await setup.claimOn(device);
      expect(next?.step.jobId).toBe(older.id);
    });

    test('but not against a higher priority, and then evicts again', async () => {
      const devices = [await setup.smallDevice(), await setup.smallDevice()];
      const [one, two] = devices;
      if (!one || !two) throw new Error('There are two devices.');
      const [old, young] = [await setup.occupy(one, 'Old'), await setup.occupy(two, 'Young')];
      const urgent = await setup.queue('Urgent');
      await preempt(seed.domain);
      expect([await setup.isTold(old), await setup.isTold(young)]).toEqual([false, true]);
      await setup.release(young);
      const higher = await setup.queue('Higher', { priority: 9 });
      expect((await setup.claimOn(two)).map(({ step }) => step.jobId)).toEqual([higher.id]);
      await preempt(seed.domain);
      expect(await setup.isTold(old)).toBe(true);
      await setup.release(old);
      expect((await setup.claimOn(one)).map(({ step }) => step.jobId)).toEqual([urgent.id]);
    });

    test('until the step is claimed elsewhere', async () => {
      const device = await setup.smallDevice();
      const eviction = await setup.occupy(device, 'Evicted');
      const urgent = await setup.queue('Urgent');
      await preempt(seed.domain);
      const other = await setup.smallDevice();
      expect((await setup.claimOn(other)).map(({ step }) => step.jobId)).toEqual([urgent.id]);
      expect((await seed.readEvents(urgent.id)).at(-1)?.description).toBe(`Claimed by ${other.device.name}.`);
      await setup.release(eviction);
      expect((await setup.claimOn(device)).map(({ step }) => step.jobId)).toEqual([eviction.step.jobId]);
    });

    test('on an online device: when it drains, steps are evicted elsewhere', async () => {
      const one = await setup.smallDevice();
      const old = await setup.occupy(one, 'Old');
      await setup.queue('Urgent');
      await preempt(seed.domain);
      expect(await setup.isTold(old)).toBe(true);
      const two = await setup.smallDevice();
      const young = await setup.occupy(two, 'Young');
      await preempt(seed.domain);
      expect(await setup.isTold(young)).toBe(false);
      await updateDevice(seed.domain, admin, { deviceId: one.device.id, isDraining: true });
      await preempt(seed.domain);
      expect(await setup.isTold(young)).toBe(true);
    });
  });
});
