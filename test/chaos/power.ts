/**
 * The power fails while clients work. The checker reads the synced data and what clients had been
 * told by then. For SQLite, on Linux with strace. A kill cannot show this: the system keeps what a
 * dead process had written.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Chapter } from './chapter.ts';
import { judge } from './chapter.ts';
import { report } from './checker/report.ts';
import { Disk } from './nemesis/disk.ts';
import { cutPower } from './nemesis/power-loss.ts';
import { recordInto, tracerIsGone } from './nemesis/strace.ts';
import { World, type WorldOptions } from './world.ts';

export interface PowerOptions extends WorldOptions {
  /** How long clients work before the power fails, in milliseconds. */
  readonly workMs: number;
}

/**
 * Lets clients work, cuts the power, and checks what is left. Everything that was not synced is
 * lost.
 */
export async function runPowerLoss({ workMs, ...options }: PowerOptions): Promise<Chapter> {
  const traces: string[] = [];
  const under = () => {
    traces.push(join(options.folder, `trace-${traces.length}`));
    return recordInto(traces.at(-1) ?? '');
  };
  const world = await World.open({ ...options, gateway: { ...options.gateway, under } });
  const nothing = join(options.folder, 'nothing');
  mkdirSync(nothing);
  const disk = new Disk(world.dataDir, nothing);
  try {
    const [gateway] = world.gateways;
    await gateway?.start().ready;
    await world.makeProject();
    // A stop makes a checkpoint, so the tables exist whatever is lost afterwards.
    await gateway?.stop();
    await gateway?.start().ready;
    world.startClients('submitter', 1, { open: 10 });
    world.startClients('worker', 2, { slots: 3 });
    world.startClients('subscriber', 1);
    await delay(workMs);
    await gateway?.kill();
  } finally {
    await world.close();
  }
  for (const trace of traces) await tracerIsGone(trace);
  const target = join(options.folder, 'left');
  const moments = [Number.MAX_SAFE_INTEGER];
  await cutPower({ traces, root: world.dataDir, disk, moments, target, loss: 'all' }, async () => {});
  const { findings, extent } = await judge(world, target);
  const violations = findings.length + world.faults.length;
  return { rounds: 0, kills: 1, workersKilled: 0, extent, findings, violations, report: report(findings, extent) };
}
