/**
 * The functions in which the gateway spends most time, excluding what they call, from Node's
 * profile.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './processes.ts';

const SHOWN = 45;
const folder = mkdtempSync(join(tmpdir(), 'trainyard-profile-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Node flags: sample every half millisecond, write the profile on exit. */
export const profileFlags: readonly string[] = ['--cpu-prof', '--cpu-prof-interval', '500', '--cpu-prof-dir', folder];

/** Microseconds on the clock of the profile. */
const now = () => Number(process.hrtime.bigint() / 1_000n);

/** Starts the profiled span. Samples from before it, of startup and filling, are left out. */
export function beginProfile(): void {
  begin = Math.min(begin, now());
}
let begin = Number.POSITIVE_INFINITY;

interface Profile {
  readonly startTime: number;
  readonly nodes: readonly { readonly id: number; readonly callFrame: { functionName: string; url: string; lineNumber: number } }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Prints the functions with most of the gateway's busy time, and removes the profile. */
export function printHotspots(out: NodeJS.WritableStream): void {
  for (const file of readdirSync(folder)) {
    const profile = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile; // as Node writes it
    const byNode = new Map<number, number>();
    let at = profile.startTime;
    profile.samples.forEach((id, i) => {
      const delta = profile.timeDeltas[i] ?? 0;
      at += delta;
      if (at >= begin) byNode.set(id, (byNode.get(id) ?? 0) + delta);
    });
    const byFrame = new Map<string, number>();
    let busy = 0;
    for (const { id, callFrame } of profile.nodes) {
      const time = byNode.get(id) ?? 0;
      if (callFrame.functionName === '(idle)' || time === 0) continue;
      busy += time;
      const place = callFrame.url === '' ? '' : `${callFrame.url.replace(`file://${root}`, '')}:${callFrame.lineNumber + 1}`;
      const name = `${callFrame.functionName || '(anonymous)'}  ${place}`;
      byFrame.set(name, (byFrame.get(name) ?? 0) + time);
    }
    const top = [...byFrame].sort((a, b) => b[1] - a[1]).slice(0, SHOWN);
    for (const [name, time] of top) out.write(`${((100 * time) / busy).toFixed(1).padStart(6)} %  ${name}\n`);
    rmSync(join(folder, file));
  }
  begin = Number.POSITIVE_INFINITY;
}
