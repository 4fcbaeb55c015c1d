/** A copy of the source with a bug, in its own folder. */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bug } from './bugs.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** The files of a checkout that a gateway reads, and what builds them. */
const parts = [
  'src',
  'drizzle',
  'scripts/build.ts',
  'scripts/console.ts',
  'scripts/python-wheel.ts',
  'python',
  'package.json',
  'tsconfig.json',
];

/**
 * Makes the folder. Throws if the bug's anchor is missing: the bug must be rewritten, and does not
 * count as found.
 */
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
