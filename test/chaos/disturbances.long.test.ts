/**
 * Stopped processes that wake, clocks that jump, and gateways that are replaced in turn, while
 * clients work. The checker judges each.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { createFolder } from '../support/folders.ts';
import { judge } from './chapter.ts';
import { type BadNetwork, openBadNetwork } from './nemesis/bad-network.ts';
import { shiftClock } from './nemesis/clock.ts';
import { readNotes } from './notes.ts';
import { openPlace } from './place.ts';
import { seedRandom } from './random.ts';
import { World, type WorldOptions } from './world.ts';

let world: World;
afterEach(() => world.close());

async function open(
  seed: string,
  options: Partial<WorldOptions> = {},
  behind: (port: number) => Promise<string> = directly,
): Promise<void> {
  world = await World.open({ ...(await openPlace((options.gateways ?? 1) > 1 ? 'postgres' : 'sqlite')), seed, ...options });
  for (const gateway of world.gateways) await gateway.start().ready;
  await world.makeProject();
  world.clientUrls = await Promise.all(world.gateways.map(({ place }) => behind(place.port)));
  world.startClients('submitter', 1);
  world.startClients('worker', 3);
  world.startClients('subscriber', 2);
}

const directly = async (port: number) => `http://127.0.0.1:${port}`;

/** Lets everything end. Returns the findings, and how much was checked. */
async function conclude() {
  const unfinished = await world.drain();
  expect([...unfinished, ...world.faults]).toEqual([]);
  const { findings, extent } = await judge(world);
  const codes = readNotes(world.notesDir).flatMap((note) => (note.kind === 'refused' ? [note.code] : []));
  return { findings, extent, codes: [...new Set(codes)] };
}

test('workers that stand still past their leases change nothing that they no longer hold when they wake (P3, P5)', {
  timeout: 120_000,
}, async () => {
  await open('zombies');
  for (let round = 0; round < 2; round++) {
    await pause(1_000);
    const zombies = world.clients.filter(({ kind }) => kind === 'worker').slice(0, 2);
    for (const { child } of zombies) child.kill('SIGSTOP');
    await pause(4_500);
    for (const { child } of zombies) child.kill('SIGCONT');
  }
  const { findings, extent, codes } = await conclude();
  expect(findings).toEqual([]);
  expect(extent.lostAttempts).toBeGreaterThan(0);
  expect(codes).toEqual([]);
});

test('a gateway that stands still past the leases breaks no promise, and takes no step from a device that goes on (P2, P13)', {
  timeout: 120_000,
}, async () => {
  await open('standstill');
  await pause(2_500);
  world.gateways[0]?.signal('SIGSTOP');
  await pause(8_000);
  world.gateways[0]?.signal('SIGCONT');
  await pause(1_000);
  const { findings } = await conclude();
  // A lease that got its time again ends later than its first answer said.
  expect(findings.filter(({ promise }) => promise !== 'P5')).toEqual([]);
});

test('one of two gateways that stands still delays nobody at the other, and breaks no promise when it wakes (P2, P3)', {
  timeout: 120_000,
}, async () => {
  await open('one of two', { gateways: 2, gateway: { flags: ['--aggregator', 'off'] } });
  await pause(2_500);
  world.gateways[0]?.signal('SIGSTOP');
  await pause(8_000);
  world.gateways[0]?.signal('SIGCONT');
  await pause(1_500);
  const { findings } = await conclude();
  expect(findings).toEqual([]);
});

test('a wall clock that jumps by an hour and by a day, both ways, breaks no promise (P2, P7, P13)', { timeout: 120_000 }, async () => {
  const clock = shiftClock(join(createFolder('clock'), 'offset'));
  await open('clocks', { gateway: { under: () => clock.under } });
  const hour = 3_600_000;
  for (const offset of [hour, 0, 24 * hour, -24 * hour, -hour, 0]) {
    await pause(1_200);
    clock.set(offset);
  }
  await pause(1_000);
  const { findings, extent } = await conclude();
  // A jump makes leases longer or shorter, so checks by the times of a jumping clock prove nothing.
  expect(findings.filter(({ promise, says }) => promise !== 'P5' && !/lease of attempt \d+ at \S+ ends/.test(says))).toEqual([]);
  expect(extent.acknowledged).toBeGreaterThan(20);
});

test('two gateways that are replaced in turn under load break no promise, and each ends within 15 s (P11)', {
  timeout: 150_000,
}, async () => {
  await open('rolling', { gateways: 2, gateway: { flags: ['--aggregator', 'off'] } });
  for (const gateway of world.gateways) {
    await pause(2_000);
    const before = performance.now();
    expect(await gateway.stop()).toBe(true);
    expect(performance.now() - before).toBeLessThan(15_000);
    await gateway.start().ready;
  }
  await pause(1_500);
  const { findings, codes } = await conclude();
  expect(findings).toEqual([]);
  expect(codes).toEqual([]);
});

test('a network that delays, cuts and swallows packets causes no gap, no duplicate and no lost answer (P1, P6, P7)', {
  timeout: 150_000,
}, async () => {
  const networks: BadNetwork[] = [];
  await open('network', {}, async (port) => {
    const network = await openBadNetwork(port, seedRandom('network'));
    networks.push(network);
    return directly(network.port);
  });
  await pause(8_000);
  for (const network of networks) network.heal();
  const { findings, extent, codes } = await conclude();
  for (const network of networks) network.close();
  // A row that was swallowed in the network came late; no wake-up was lost.
  expect(findings.filter(({ says }) => !says.includes('its wake-up was lost'))).toEqual([]);
  expect(codes).toEqual([]);
  expect(extent.acknowledged).toBeGreaterThan(20);
  const [{ mishaps } = { mishaps: null }] = networks;
  expect(mishaps).toMatchObject({ delayed: expect.any(Number), cut: expect.any(Number), swallowed: expect.any(Number) });
  for (const count of Object.values(mishaps ?? {})) expect(count).toBeGreaterThan(0);
});
