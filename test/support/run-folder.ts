/**
 * One folder for all files of a vitest run. At the end it is removed, and processes that tests left
 * behind are ended: vitest ends workers without notice, so they cannot be relied on to clean up.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder in which `createFolder` makes its folders. */
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

/**
 * A file name with the id of a process. A test keeps such a file in the run's folder while the
 * process runs.
 */
export const noteOf = (pid: number): string => `${PREFIX}${pid}`;
const PREFIX = 'running-';

function endNoted(name: string): void {
  if (!name.startsWith(PREFIX)) return;
  try {
    process.kill(Number(name.slice(PREFIX.length)), 'SIGKILL');
  } catch {
    // It ended by itself at this moment.
  }
}
