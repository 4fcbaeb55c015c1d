/** How much work it is to explain why steps are not claimed. */
import { expect, test } from 'vitest';
import { whyNot } from '../../../src/domain/steps/why-not.ts';
import { MOST_JUDGED } from '../../../src/store/queries/devices.ts';
import { describeOnGround } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';

describeOnGround('The reasons why steps are not claimed', (on) => {
  test('name the devices that were seen last, at most a hundred, and any device that is asked about', async () => {
    const { seed } = on();
    const ids: string[] = [];
    for (let i = 0; i < MOST_JUDGED + 20; i++) {
      ids.push((await seed.registerDevice()).device.id);
      seed.clock.advance(10);
    }
    const { steps } = await seed.createJob([{ name: 'large', resources: { gpu: 8 } }]);
    const [step] = steps;
    if (!step) throw new Error('The job has no step.');
    const asked = [null, ids[0] ?? '', 'dev_of_nobody'].map((deviceId) => ({ step, deviceId }));
    const [all = [], one, none] = await whyNot(seed.domain, admin, asked, async () => {});
    expect(all.length).toBe(MOST_JUDGED);
    expect(new Set(all.map(({ device }) => device?.id))).toEqual(new Set(ids.slice(20)));
    expect(one).toMatchObject([{ requirement: 'gpu', device: { id: ids[0] } }]);
    expect(none).toMatchObject([{ requirement: 'device', device: null }]);
  });

  test('are paid for before they are found: each device that is read, and each step that is held against it', async () => {
    const { seed } = on();
    for (let i = 0; i < 70; i++) await seed.registerDevice();
    const { steps } = await seed.createJob([{ name: 'large', resources: { gpu: 8 } }]);
    const { steps: others } = await seed.createJob([{ name: 'larger', resources: { gpu: 9 } }]);
    const asked = [...steps, ...others].map((step) => ({ step, deviceId: null }));
    const paid: number[] = [];
    await whyNot(seed.domain, admin, asked, async (work) => void paid.push(work));
    // The project; 64 devices and the rest; each step on each device.
    expect(paid).toEqual([16, 64 * 16, 6 * 16, 70, 70]);
    const broke = new Error('Nothing is left.');
    let left = 3;
    const spend = async () => {
      left -= 1;
      if (left < 0) throw broke;
    };
    await expect(whyNot(seed.domain, admin, asked, spend)).rejects.toBe(broke);
    expect(left).toBe(-1);
  });
});
