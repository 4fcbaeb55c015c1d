/**
 * What tests start as a process is what users start: the bundle. It is built before the tests,
 * unless it is as new as the sources. What tests call in their own process is the sources.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../../bin/program.js';
import { buildWheel } from '../../scripts/python-wheel.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** From the top of the checkout. */
export const bundle = 'dist/main.js';
export const bundlePath = `${root}${bundle}`;

export default function buildBundle(): void {
  if (findProgram(root) !== bundlePath) execFileSync(process.execPath, ['scripts/build.ts'], { cwd: root });
  // Milliseconds. Its sources are not those of the bundle.
  else buildWheel();
}
