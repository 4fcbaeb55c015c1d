/** Temporary folders, removed at the latest when vitest ends. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';

/** A new, empty folder. */
export function createFolder(name = 'test'): string {
  return mkdtempSync(join(inject('runFolder'), `${name}-`));
}

/** Removes a folder early, so that it does not stay on the disk during the other thousand tests. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
