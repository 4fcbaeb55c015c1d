/** Temporary folders, gone at the latest when the run of vitest is over. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';

/** A new, empty folder. */
export function createFolder(name = 'test'): string {
  return mkdtempSync(join(inject('runFolder'), `${name}-`));
}

/** Removes it before the run is over: what a test made need not stay while a thousand others run. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
