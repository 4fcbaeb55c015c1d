/** A copy of the source with a bug in it, in a folder of its own. */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bug } from './bugs.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** What a gateway reads of a checkout. */
const parts = ['src', 'drizzle', 'package.json'];

/** Makes the folder. Throws when the place is gone into which the bug is put: it is to be put in anew, not to be taken for found. */
export function copyWithBug(folder: string, { name, edits }: Pick<Bug, 'name' | 'edits'>): void {
  mkdirSync(folder, { recursive: true });
  for (const part of parts) cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const { file, find, replace } of edits) {
    const path = join(folder, file);
    const text = readFileSync(path, 'utf8');
    const count = text.split(find).length - 1;
    if (count !== 1) throw new Error(`The bug "${name}" cannot be put in: ${file} has its anchor ${count} times: ${find}`);
    writeFileSync(
      path,
      text.replace(find, () => replace),
    );
  }
}
