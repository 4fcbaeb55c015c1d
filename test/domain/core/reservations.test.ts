/** A step that others make room for does not wait for ever for a device that never takes it, and keeps nobody out for ever. */
import { beforeEach, expect, test } from 'vitest';
import { preempt } from '../../../src/domain/preemption/preemption.ts';
import { recordSeen } from '../../../src/domain/steps/devices.ts';
import { describeOnGround } from '../../support/ground.ts';
import type { SeededDevice } from '../../support/seed.ts';
import { type Room, roomOn } from '../room.ts';

describeOnGround('A step that room is made for', (on) => {
  let room: Room;
  beforeEach(() => {
    room = roomOn(on());
  });

  /** Time in which these devices are seen, and passes are made as the gateway makes them, if less often. */
  async function pass(seconds: number, devices: readonly SeededDevice[]) {
    const { seed } = on();
    for (let left = seconds; left > 0; left -= 10) {
      seed.clock.advance(10_000);
      for (const { device } of devices) await recordSeen(seed.domain, device.id);
      await preempt(seed.domain);
    }
  }

  const placeOf = async (jobId: string) => (await on().seed.readSteps(jobId))[0]?.reservedDeviceId;

  test('keeps out nobody any more when the device does not come for it in time: what left goes on (P10)', async () => {
    const device = await room.smallDevice();
    const eviction = await room.occupy(device, 'Evicted');
    const urgent = await room.queue('Urgent');
    await preempt(on().seed.domain);
    expect(await room.isTold(eviction)).toBe(true);
    await room.release(eviction);
    await pass(290, [device]);
    expect(await placeOf(urgent.id)).toBe(device.device.id);
    await pass(20, [device]);
    expect(await placeOf(urgent.id)).toBe(null);
    // Whoever asks has the room now, in the order of claims: the step that waited is still first.
    expect((await room.claimOn(device, 1)).map(({ step }) => step.jobId)).toEqual([urgent.id]);
  });

  test('looks for another place when what runs on the first one does not let go', async () => {
    const { seed } = on();
    const [first, second] = [await room.smallDevice(), await room.smallDevice()];
    const urgentIs = { priority: 5 };
    const deaf = await room.occupy(first, 'Deaf');
    const held = await seed.claim(await seed.createJob([{ name: 'Held', resources: { cpu: 1 } }]), 0, second, 3_600);
    const urgent = await room.queue('Urgent', urgentIs);
    await preempt(seed.domain);
    expect(await placeOf(urgent.id)).toBe(first.device.id);
    await room.complete(held);
    const polite = await room.occupy(second, 'Polite');
    const keep = async () => {
      await room.renew(deaf);
      return room.isTold(polite);
    };
    let isTold = false;
    let seconds = 0;
    for (; seconds < 600 && !isTold; seconds += 10) {
      await pass(10, [first, second]);
      isTold = await keep();
    }
    expect([isTold, seconds >= 290, seconds <= 320]).toEqual([true, true, true]);
    await room.release(polite);
    expect((await room.claimOn(second)).map(({ step }) => step.jobId)).toEqual([urgent.id]);
  });

  test('makes room elsewhere when a device that has room does not come for it', async () => {
    const [idle, busy] = [await room.smallDevice(), await room.smallDevice()];
    const eviction = await room.occupy(busy, 'Evicted');
    await room.queue('Urgent');
    await preempt(on().seed.domain);
    expect(await room.isTold(eviction)).toBe(false);
    for (let i = 0; i < 31; i++) {
      await pass(10, [idle, busy]);
      await room.renew(eviction);
    }
    await pass(10, [idle, busy]);
    expect(await room.isTold(eviction)).toBe(true);
  });

  test('waits on, without losing reservations, when the clock goes back (P13)', async () => {
    const { seed } = on();
    const device = await room.smallDevice();
    await room.occupy(device, 'Evicted');
    const urgent = await room.queue('Urgent');
    await preempt(seed.domain);
    await pass(100, [device]);
    seed.clock.jump(-3_600_000);
    await pass(290, [device]);
    expect(seed.domain.reservations.isOver((await seed.readSteps(urgent.id))[0]?.id ?? '', device.device.id, 300)).toBe(false);
  });
});
