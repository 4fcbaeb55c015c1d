/**
 * start: from the start of the process to the first answered query, on a store that exists, next to
 * a Node that does nothing.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startGateway } from './gateway.ts';

const STARTS = 15;
const GOAL_SECONDS = 0.5;

interface Start {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

export async function benchStart(): Promise<string> {
  const dataDir = mkdtempSync(join(tmpdir(), 'trainyard-bench-'));
  const ours: Start[] = [];
  const empty: Start[] = [];
  // The first one makes the store, and compiles what is kept.
  await startOnce(dataDir);
  for (let i = 0; i < STARTS; i++) {
    ours.push(await startOnce(dataDir));
    empty.push(startNothing());
  }
  rmSync(dataDir, { recursive: true });
  const line = (name: string, starts: readonly Start[]) =>
    `  ${name.padEnd(38)} ${least(starts.map(({ seconds }) => seconds))} s, ${least(starts.map(({ cpuSeconds }) => cpuSeconds))} s of CPU`;
  return [
    'start (the least disturbed but one)',
    line('Trainyard, to the first answered query', ours),
    line('node -e 0', empty),
    `  → goal: below ${GOAL_SECONDS} s`,
  ].join('\n');
}

async function startOnce(dataDir: string): Promise<Start> {
  const began = performance.now();
  const gateway = await startGateway({ dataDir });
  await gateway.ask('{ gateway { version } }');
  const start = { seconds: (performance.now() - began) / 1_000, cpuSeconds: gateway.server.cpuSeconds() };
  await gateway.stop();
  return start;
}

function startNothing(): Start {
  const began = performance.now();
  const before = process.resourceUsage();
  spawnSync(process.execPath, ['-e', '0']);
  const after = process.resourceUsage();
  const cpuSeconds = (after.userCPUTime - before.userCPUTime + after.systemCPUTime - before.systemCPUTime) / 1e6;
  return { seconds: (performance.now() - began) / 1_000, cpuSeconds };
}

const least = (values: readonly number[]): string => (values.toSorted((a, b) => a - b)[1] ?? Number.NaN).toFixed(2);
