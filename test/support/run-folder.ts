/**
 * One folder for all that a run of vitest writes, removed when the run is over, and the processes that its tests left running ended with it:
 * workers are ended without notice, and cannot be relied on to tidy up.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where `createFolder` makes its folders. */
    runFolder: string;
  }
}

export default function makeRunFolder(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'trainyard-tests-'));
  project.provide('runFolder', folder);
  return () => {
    for (const name of readdirSync(folder)) endNoted(name);
    rmSync(folder, { recursive: true, force: true });
  };
}

/** What a test that starts a process leaves in the run's folder for as long as it runs: its id, in a file's name. */
export const noteOf = (pid: number): string => `${PREFIX}${pid}`;
const PREFIX = 'running-';

function endNoted(name: string): void {
  if (!name.startsWith(PREFIX)) return;
  try {
    process.kill(Number(name.slice(PREFIX.length)), 'SIGKILL');
  } catch {
    // It ended by itself in this very moment.
  }
}
