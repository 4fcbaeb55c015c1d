/**
 * A reservation ends if its device never claims the step, so that no capacity is reserved for ever.
 */
import { beforeEach, expect, test } from 'vitest';
import { preempt } from '../../../src/domain/preemption/preemption.ts';
import { recordSeen } from '../../../src/domain/steps/devices.ts';
import { describeOnGround } from '../../support/ground.ts';
import type { SeededDevice } from '../../support/seed.ts';
import { type Setup, setupOn } from '../preemption/setup.ts';

describeOnGround('A step with a reservation', (on) => {
  let setup: Setup;
  beforeEach(() => {
    setup = setupOn(on());
  });

  /**
   * Lets time pass while these devices are seen and preemption passes run, less often than in the
   * gateway.
   */
  async function pass(seconds: number, devices: readonly SeededDevice[]) {
    const { seed } = on();
    for (let left = seconds; left > 0; left -= 10) {
      seed.clock.advance(10_000);
      for (const { device } of devices) await recordSeen(seed.domain, device.id);
      await preempt(seed.domain);
    }
  }

  const placeOf = async (jobId: string) => (await on().seed.readSteps(jobId))[0]?.reservedDeviceId;

  test('loses it if the device does not claim the step in time, and the evicted step runs again (P10)', async () => {
    const device = await setup.smallDevice();
    const eviction = await setup.occupy(device, 'Evicted');
    const urgent = await setup.queue('Urgent');
    await preempt(on().seed.domain);
    expect(await setup.isTold(eviction)).toBe(true);
    await setup.release(eviction);
    await pass(290, [device]);
    expect(await placeOf(urgent.id)).toBe(device.device.id);
    await pass(20, [device]);
    expect(await placeOf(urgent.id)).toBe(null);
    // The capacity is free for all again, in claim order: the step that waited is still first.
    expect((await setup.claimOn(device, 1)).map(({ step }) => step.jobId)).toEqual([urgent.id]);
  });

  test('looks for another device when the running step on the first one does not stop', async () => {
    const { seed } = on();
    const [first, second] = [await setup.smallDevice(), await setup.smallDevice()];
    const urgentIs = { priority: 5 };
    const deaf = await setup.occupy(first, 'Deaf');
    const held = await seed.claim(await seed.createJob([{ name: 'Held', resources: { cpu: 1 } }]), 0, second, 3_600);
    const urgent = await setup.queue('Urgent', urgentIs);
    await preempt(seed.domain);
    expect(await placeOf(urgent.id)).toBe(first.device.id);
    await setup.complete(held);
    const polite = await setup.occupy(second, 'Polite');
    const keep = async () => {
      await setup.renew(deaf);
      return setup.isTold(polite);
    };
    let isTold = false;
    let seconds = 0;
    for (; seconds < 600 && !isTold; seconds += 10) {
      await pass(10, [first, second]);
      isTold = await keep();
    }
    expect([isTold, seconds >= 290, seconds <= 320]).toEqual([true, true, true]);
    await setup.release(polite);
    expect((await setup.claimOn(second)).map(({ step }) => step.jobId)).toEqual([urgent.id]);
  });

  test('has steps evicted elsewhere when a device with free capacity does not claim it', async () => {
    const [idle, busy] = [await setup.smallDevice(), await setup.smallDevice()];
    const eviction = await setup.occupy(busy, 'Evicted');
    await setup.queue('Urgent');
    await preempt(on().seed.domain);
    expect(await setup.isTold(eviction)).toBe(false);
    for (let i = 0; i < 31; i++) {
      await pass(10, [idle, busy]);
      await setup.renew(eviction);
    }
    await pass(10, [idle, busy]);
    expect(await setup.isTold(eviction)).toBe(true);
  });

  test('keeps it when the clock goes back (P13)', async () => {
    const { seed } = on();
    const device = await setup.smallDevice();
    await setup.occupy(device, 'Evicted');
    const urgent = await setup.queue('Urgent');
    await preempt(seed.domain);
    await pass(100, [device]);
    seed.clock.jump(-3_600_000);
    await pass(290, [device]);
    expect(seed.domain.reservations.isOver((await seed.readSteps(urgent.id))[0]?.id ?? '', device.device.id, 300)).toBe(false);
  });
});
