/**
 * The paths in an archive of code. Whoever packs refuses the same paths as the agent that unpacks.
 * The Python package has the same rules (python/src/trainyard/_folder.py).
 */

/** What a step finds in its working folder besides the code. */
const reserved = ['.trainyard', 'fragments'];
const MOST_BYTES = 4_096;
const MOST_NAME_BYTES = 255;

/** Why a file cannot have this path in a step’s working folder. Completes "<path> …". */
export function problemOfPath(path: string): string | null {
  const names = path.split('/');
  if (names.some((name) => name === '' || name === '.' || name === '..')) return 'leads out of the folder';
  // A backslash or a colon leads elsewhere on Windows.
  if (/[\\:\p{Cc}]/u.test(path)) return 'has a backslash, a colon or a control character in its name';
  if (Buffer.byteLength(path) > MOST_BYTES || names.some((name) => Buffer.byteLength(name) > MOST_NAME_BYTES)) return 'has too long a name';
  const top = pathKeyOf(names[0] ?? '');
  if (reserved.includes(top)) return `is in a folder named ${top}, which a step has for its own files`;
  return null;
}

/** Two paths with the same key are one file on some systems. */
export const pathKeyOf = (path: string): string => path.normalize('NFC').toLowerCase();
