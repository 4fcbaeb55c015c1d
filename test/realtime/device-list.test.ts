/** Live lists of devices: their beginning, changes, removals and cursors. */
import { expect, test } from 'vitest';
import type { Principal } from '../../src/domain/access/principal.ts';
import { reportDeviceTelemetry } from '../../src/domain/claims/telemetry.ts';
import { deleteProject } from '../../src/domain/jobs/projects.ts';
import { deleteDevice, recordSeen, registerDevice, updateDevice } from '../../src/domain/steps/devices.ts';
import { sweep } from '../../src/domain/sweep/timekeeping.ts';
import { type DeviceFilter, deviceList } from '../../src/realtime/device-list.ts';
import type { Frame } from '../../src/realtime/frames.ts';
import type { ListChange } from '../../src/realtime/job-list.ts';
import { describeOnGround } from '../support/ground.ts';
import { admin, type SeededDevice } from '../support/seed.ts';

const MINUTE_MS = 60_000;

describeOnGround('A live list of devices', (on) => {
  const all = (): DeviceFilter => ({ projectId: on().seed.project.id, kinds: null, statuses: null, labels: null });
  const open = async (filter: DeviceFilter = all(), after?: string, principal: Principal = admin) =>
    deviceList(on().seed.domain, on().wakeups, principal, { filter, after });
  type List = Awaited<ReturnType<typeof open>>;

  async function next(list: List): Promise<Frame<ListChange>> {
    const { value } = await list.next();
    if (!value) throw new Error('The list has ended.');
    return value;
  }
  const shown = ({ rows }: Frame<ListChange>) => ({
    devices: rows.flatMap(({ id, isListed }) => (isListed ? [id] : [])),
    removed: rows.flatMap(({ id, isListed }) => (isListed ? [] : [id])),
  });
  /** Reads until the list is live. */
  async function begin(list: List): Promise<{ devices: string[]; removed: string[]; cursor: string }> {
    const seen = { devices: [] as string[], removed: [] as string[] };
    for (;;) {
      const frame = await next(list);
      seen.devices.push(...shown(frame).devices);
      seen.removed.push(...shown(frame).removed);
      if (frame.state === 'LIVE') return { ...seen, cursor: frame.cursor };
    }
  }
  const idOf = ({ device }: SeededDevice) => device.id;
  const isSwept = () => sweep(on().seed.domain);

  test('begins with all of them, and tells of registrations, changes and deletions', async () => {
    const { seed } = on();
    const [one, two] = [await seed.registerDevice(), await seed.registerDevice()];
    const gone = await seed.registerDevice();
    await deleteDevice(seed.domain, admin, { deviceId: idOf(gone) });
    const list = await open();
    expect(await begin(list)).toMatchObject({ devices: [idOf(one), idOf(two)], removed: [] });
    const three = await seed.registerDevice();
    expect(shown(await next(list))).toEqual({ devices: [idOf(three)], removed: [] });
    await updateDevice(seed.domain, admin, { deviceId: idOf(one), isDraining: true });
    expect(shown(await next(list))).toEqual({ devices: [idOf(one)], removed: [] });
    await registerDevice(seed.domain, two.principal, { name: two.device.name, slots: 7 });
    expect(shown(await next(list))).toEqual({ devices: [idOf(two)], removed: [] });
    await deleteDevice(seed.domain, admin, { deviceId: idOf(three) });
    expect(shown(await next(list))).toEqual({ devices: [], removed: [idOf(three)] });
    await deleteProject(seed.domain, admin, { projectId: seed.project.id });
    const last = shown(await next(list));
    expect([last.devices, last.removed.toSorted()]).toEqual([[], [idOf(one), idOf(two)].toSorted()]);
    await list.return?.();
  });

  test('tells of devices that go offline by silence, and come back', async () => {
    const { seed } = on();
    const device = await seed.registerDevice();
    const online = await open({ ...all(), statuses: ['ONLINE'] });
    const offline = await open({ ...all(), statuses: ['OFFLINE'] });
    expect(await begin(online)).toMatchObject({ devices: [idOf(device)], removed: [] });
    expect(await begin(offline)).toMatchObject({ devices: [], removed: [] });
    seed.clock.jump(2 * MINUTE_MS);
    await isSwept();
    expect(shown(await next(online))).toEqual({ devices: [], removed: [idOf(device)] });
    expect(shown(await next(offline))).toEqual({ devices: [idOf(device)], removed: [] });
    await recordSeen(seed.domain, idOf(device));
    await isSwept();
    expect(shown(await next(online))).toEqual({ devices: [idOf(device)], removed: [] });
    expect(shown(await next(offline))).toEqual({ devices: [], removed: [idOf(device)] });
    await updateDevice(seed.domain, admin, { deviceId: idOf(device), isLeaving: true });
    expect(shown(await next(online))).toEqual({ devices: [], removed: [idOf(device)] });
    for (const list of [online, offline]) await list.return?.();
  });

  test('is the list of its filter: a device that matches no more leaves it', async () => {
    const { seed } = on();
    const labels = [{ key: 'zone', value: 'a' }];
    const device = await seed.registerDevice({ labels });
    await seed.registerDevice();
    const list = await open({ ...all(), labels });
    expect(await begin(list)).toMatchObject({ devices: [idOf(device)], removed: [] });
    await updateDevice(seed.domain, admin, { deviceId: idOf(device), labels: [{ key: 'zone', value: 'b' }] });
    expect(shown(await next(list))).toEqual({ devices: [], removed: [idOf(device)] });
    await updateDevice(seed.domain, admin, { deviceId: idOf(device), labels });
    expect(shown(await next(list))).toEqual({ devices: [idOf(device)], removed: [] });
    await list.return?.();
  });

  test('is resumed from each of its cursors without a hole, in its beginning too', async () => {
    const { seed } = on();
    const devices: string[] = [];
    for (let i = 0; i < 130; i++) devices.push(idOf(await seed.registerDevice()));
    const first = await open();
    const beginning = await next(first);
    expect(beginning.state).toBe('REPLAYING');
    await first.return?.();
    const [changed = '', deleted = ''] = devices;
    await updateDevice(seed.domain, admin, { deviceId: changed, slots: 3 });
    await deleteDevice(seed.domain, admin, { deviceId: deleted });
    const rest = await begin(await open(all(), beginning.cursor));
    expect(new Set([...shown(beginning).devices, ...rest.devices])).toEqual(new Set(devices));
    expect(rest.removed).toEqual([deleted]);
    expect(rest.devices.at(-1)).toBe(changed);
    const again = await begin(await open(all(), rest.cursor));
    expect(again).toMatchObject({ devices: [], removed: [] });
    await expect(open({ ...all(), kinds: ['EDGE'] }, rest.cursor)).rejects.toThrow('after: this cursor was not returned by this stream');
    await expect(open(all(), 'nonsense')).rejects.toThrow('after: this cursor was not returned by this stream');
  });

  test('says nothing of what is no change: a request that shows that a device is there, or its telemetry', async () => {
    const { seed } = on();
    const device = await seed.registerDevice();
    const list = await open();
    await begin(list);
    seed.clock.jump(30_000);
    const samples = [{ cpu: 1, memoryMb: 1 }];
    await reportDeviceTelemetry(seed.domain, device.principal, { deviceId: idOf(device), samples });
    await isSwept();
    const other = await seed.registerDevice();
    expect(shown(await next(list))).toEqual({ devices: [idOf(other)], removed: [] });
    await list.return?.();
  });

  test('has the devices that were stored before changes were recorded, after the first sweep', async () => {
    const { seed, store } = on();
    const device = await seed.registerDevice();
    await store.write(async ({ db, t }) => void (await db.delete(t.deviceChanges)));
    const list = await open();
    expect(await begin(list)).toMatchObject({ devices: [], removed: [] });
    await isSwept();
    const found: string[] = [];
    while (!found.includes(idOf(device))) found.push(...shown(await next(list)).devices);
    await list.return?.();
  });
});
