/** Who is told to make room, who is not, and for whom the room is kept. */
import { beforeEach, describe, expect, test } from 'vitest';
import { type Claim, claimStep } from '../../../src/domain/claims/claims.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { preempt } from '../../../src/domain/preemption/preemption.ts';
import { updateDevice } from '../../../src/domain/steps/devices.ts';
import { claimableBy, whyNot } from '../../../src/domain/steps/matching.ts';
import { sweep } from '../../../src/domain/sweep/timekeeping.ts';
import { describeOnGround, refusalOf } from '../../support/ground.ts';
import { admin, type Seed } from '../../support/seed.ts';
import { type Room, roomOn } from '../room.ts';

describeOnGround('Preemption', (on) => {
  let room: Room;
  let seed: Seed;
  beforeEach(() => {
    room = roomOn(on());
    seed = room.seed;
  });

  describe('tells no one', () => {
    test.each([
      { why: 'of a higher priority', eviction: { priority: 1 }, waiting: {} },
      { why: 'for a step that is preemptible itself', eviction: {}, waiting: { isPreemptible: true } },
      { why: 'whose going would not be enough', eviction: { cpu: 1 }, waiting: { cpu: 5 } },
    ])('$why', async ({ eviction, waiting }) => {
      const device = await seed.registerDevice({ slots: 1, resources: { cpu: 4 } });
      const claim = await room.occupy(device, 'Evicted', eviction);
      await room.queue('Waiting', waiting);
      await preempt(seed.domain);
      expect(await room.isTold(claim)).toBe(false);
    });

    test('who may not be preempted', async () => {
      const device = await seed.registerDevice({ slots: 1 });
      const claim = await seed.claim(await seed.createJob(1), 0, device);
      const { job } = await seed.createJob(1, { priority: 100 });
      await preempt(seed.domain);
      expect(await room.isTold(claim)).toBe(false);
      // Tests of one file share a store, and one of them a device of all projects.
      await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 0 });
    });

    test('while the step has somewhere to run', async () => {
      const [full, free] = [await room.smallDevice(), await seed.registerDevice({ resources: { cpu: 1 } })];
      const claim = await room.occupy(full, 'Evicted');
      const job = await room.queue('Waiting');
      await preempt(seed.domain);
      expect(await room.isTold(claim)).toBe(false);
      expect((await room.claimOn(free)).map(({ step }) => step.jobId)).toEqual([job.id]);
    });

    test('on a device that drains, and counts one that is gone as nowhere to run', async () => {
      const draining = await room.smallDevice();
      const claim = await room.occupy(draining, 'Evicted');
      await updateDevice(seed.domain, admin, { deviceId: draining.device.id, isDraining: true });
      await room.smallDevice();
      const there = await room.smallDevice();
      const eviction = await room.occupy(there, 'Evicted');
      await room.queue('Waiting');
      seed.clock.advance(50_000);
      await room.renew(claim);
      await room.renew(eviction);
      seed.clock.advance(20_000);
      await preempt(seed.domain);
      expect([await room.isTold(claim), await room.isTold(eviction)]).toEqual([false, true]);
    });

    test('more than once for a step, nor twice when two gateways look at once', async () => {
      const devices = [await room.smallDevice(), await room.smallDevice()];
      const claims = [];
      for (const device of devices) claims.push(await room.occupy(device, 'Evicted'));
      await room.queue('Waiting');
      await Promise.all([preempt(seed.domain), preempt(seed.domain), preempt(seed.domain)]);
      await preempt(seed.domain);
      await sweep(seed.domain);
      const told = await Promise.all(claims.map(room.isTold));
      expect(told.filter(Boolean)).toHaveLength(1);
      await room.queue('Also waiting');
      await sweep(seed.domain);
      expect(await Promise.all(claims.map(room.isTold))).toEqual([true, true]);
    });
  });

  describe('chooses', () => {
    const told = async (claims: Record<string, Claim>) => {
      const names = [];
      for (const [name, claim] of Object.entries(claims)) if (await room.isTold(claim)) names.push(name);
      return names;
    };

    test('the fewest, though they are older', async () => {
      const device = await seed.registerDevice({ resources: { cpu: 8 } });
      const claims = {
        large: await room.occupy(device, 'Large', { cpu: 4 }),
        small: await room.occupy(device, 'Small', { cpu: 2 }),
        smaller: await room.occupy(device, 'Smaller', { cpu: 2 }),
      };
      await room.queue('Waiting', { cpu: 4 });
      await preempt(seed.domain);
      expect(await told(claims)).toEqual(['large']);
    });

    test('as many as it takes, and no one who need not go', async () => {
      const device = await seed.registerDevice({ resources: { cpu: 8 } });
      const claims = {
        one: await room.occupy(device, 'One', { cpu: 1 }),
        three: await room.occupy(device, 'Three', { cpu: 3 }),
        two: await room.occupy(device, 'Two', { cpu: 2 }),
        another: await room.occupy(device, 'Another', { cpu: 2 }),
      };
      const job = await room.queue('Waiting', { cpu: 5 });
      await preempt(seed.domain);
      expect(await told(claims)).toEqual(['three', 'another']);
      await room.release(claims.three);
      expect(await room.claimOn(device)).toEqual([]);
      await room.release(claims.another);
      const [claim] = await room.claimOn(device);
      expect(claim?.step.jobId).toBe(job.id);
      expect((await seed.readEvents(job.id)).at(-1)?.description).toMatch(/, in place of step 0 of Another .* and step 0 of Three /);
    });

    test('the lowest priority, then the youngest, over all devices', async () => {
      const devices = [
        await seed.registerDevice({ slots: 2, resources: { cpu: 2 } }),
        await seed.registerDevice({ slots: 2, resources: { cpu: 2 } }),
      ];
      const [one, two] = devices;
      if (!one || !two) throw new Error('There are two devices.');
      const claims = {
        high: await room.occupy(one, 'High', { priority: 2 }),
        old: await room.occupy(one, 'Old', { priority: 1 }),
        middle: await room.occupy(two, 'Middle', { priority: 1 }),
        young: await room.occupy(two, 'Young', { priority: 1 }),
      };
      await room.queue('First', { priority: 2 });
      await preempt(seed.domain);
      expect(await told(claims)).toEqual(['young']);
      await room.queue('Second', { priority: 2 });
      await preempt(seed.domain);
      expect(await told(claims)).toEqual(['middle', 'young']);
    });

    test('for those of the highest priority first', async () => {
      const device = await room.smallDevice();
      const eviction = await room.occupy(device, 'Evicted');
      await room.queue('Low');
      const high = await room.queue('High', { priority: 5 });
      await preempt(seed.domain);
      await room.release(eviction);
      expect((await room.claimOn(device)).map(({ step }) => step.jobId)).toEqual([high.id]);
    });
  });

  describe('keeps the room that was made', () => {
    test('for the step that it was made for, also against older ones of its priority', async () => {
      const device = await room.smallDevice();
      const eviction = await room.occupy(device, 'Evicted');
      const older = await room.queue('Older', { isPreemptible: true });
      const urgent = await room.queue('Urgent');
      await preempt(seed.domain);
      const [waiting] = await seed.readSteps(urgent.id);
      if (!waiting) throw new Error('The job has a step.');
      expect(await whyNot(seed.domain, admin, waiting, null)).toMatchObject([
        { requirement: 'slots' },
        { requirement: 'cpu' },
        { requirement: 'preemption' },
      ]);
      await room.release(eviction);
      const [passed] = await seed.readSteps(older.id);
      if (!passed) throw new Error('The job has a step.');
      expect(await whyNot(seed.domain, admin, passed, null)).toMatchObject([{ requirement: 'reserved' }]);
      expect(await whyNot(seed.domain, admin, waiting, null)).toEqual([]);
      expect(await claimableBy(seed.domain, device.device.id)).toHaveLength(1);
      const byName = claimStep(seed.domain, device.principal, { jobId: older.id, stepNumber: 0, leaseSeconds: 60 });
      expect(await refusalOf(byName)).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: ['deviceId'], message: /kept/ }] });
      const [claim] = await room.claimOn(device);
      expect(claim?.step.jobId).toBe(urgent.id);
      await room.complete(claim as Claim); // it is there: see the line above
      // And what was preempted stands behind who waited before.
      const [next] = await room.claimOn(device);
      expect(next?.step.jobId).toBe(older.id);
    });

    test('but not against a higher priority, and then makes room anew', async () => {
      const devices = [await room.smallDevice(), await room.smallDevice()];
      const [one, two] = devices;
      if (!one || !two) throw new Error('There are two devices.');
      const [old, young] = [await room.occupy(one, 'Old'), await room.occupy(two, 'Young')];
      const urgent = await room.queue('Urgent');
      await preempt(seed.domain);
      expect([await room.isTold(old), await room.isTold(young)]).toEqual([false, true]);
      await room.release(young);
      const higher = await room.queue('Higher', { priority: 9 });
      expect((await room.claimOn(two)).map(({ step }) => step.jobId)).toEqual([higher.id]);
      await preempt(seed.domain);
      expect(await room.isTold(old)).toBe(true);
      await room.release(old);
      expect((await room.claimOn(one)).map(({ step }) => step.jobId)).toEqual([urgent.id]);
    });

    test('until it is claimed elsewhere', async () => {
      const device = await room.smallDevice();
      const eviction = await room.occupy(device, 'Evicted');
      const urgent = await room.queue('Urgent');
      await preempt(seed.domain);
      const other = await room.smallDevice();
      expect((await room.claimOn(other)).map(({ step }) => step.jobId)).toEqual([urgent.id]);
      expect((await seed.readEvents(urgent.id)).at(-1)?.description).toBe(`Claimed by ${other.device.name}.`);
      await room.release(eviction);
      expect((await room.claimOn(device)).map(({ step }) => step.jobId)).toEqual([eviction.step.jobId]);
    });

    test('on a device that is there: when it drains, room is made elsewhere', async () => {
      const one = await room.smallDevice();
      const old = await room.occupy(one, 'Old');
      await room.queue('Urgent');
      await preempt(seed.domain);
      expect(await room.isTold(old)).toBe(true);
      const two = await room.smallDevice();
      const young = await room.occupy(two, 'Young');
      await preempt(seed.domain);
      expect(await room.isTold(young)).toBe(false);
      await updateDevice(seed.domain, admin, { deviceId: one.device.id, isDraining: true });
      await preempt(seed.domain);
      expect(await room.isTold(young)).toBe(true);
    });
  });
});
