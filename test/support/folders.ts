/** Temporary folders, gone when the test (or the file, for those made outside of a test) is over. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const made = new Set<string>();
process.on('exit', () => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

/** A new, empty folder. Removed when the worker ends, or earlier by `removeFolder`. */
export function createFolder(name = 'test'): string {
  const folder = mkdtempSync(join(tmpdir(), `trainyard-${name}-`));
  made.add(folder);
  return folder;
}

export function removeFolder(folder: string): void {
  made.delete(folder);
  rmSync(folder, { recursive: true, force: true });
}
