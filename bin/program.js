import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The file that Node runs: dist/main.js, the bundle, or src/main.ts if a source file is newer than
 * that or there is no bundle.
 *
 * @param {string} top the folder of the package
 */
export function findProgram(top) {
  const bundle = join(top, 'dist', 'main.js');
  try {
    // The packed package has no sources.
    const time = statSync(bundle).mtimeMs;
    if (!existsSync(join(top, 'src', 'main.ts')) || !isAnyNewer(join(top, 'src'), time)) return bundle;
  } catch {
    // Not built.
  }
  return join(top, 'src', 'main.ts');
}

/**
 * @param {string} folder
 * @param {number} time in milliseconds
 * @returns {boolean}
 */
function isAnyNewer(folder, time) {
  return readdirSync(folder, { withFileTypes: true }).some((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? isAnyNewer(path, time) : statSync(path).mtimeMs > time;
  });
}
