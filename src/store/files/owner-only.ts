/**
 * Makes the gateway's files accessible to its own user only. The store contains the hashes of keys
 * and the secret that signs URLs, and fragments contain the users' data.
 */
import { chmodSync, existsSync, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The permission bits of everyone but the owner. */
const OTHERS = 0o077;
/** The mode of a shared folder like /tmp, whose contents belong to many users. */
const STICKY = 0o1000;
/** Files that a gateway and its agent create in the data folder. */
const own = /^(trainyard\.sqlite.*|credentials\.json(\.new)?|fragments|agent)$/;
/** Entries that a file system itself creates at its top. */
const ofSystem = /^lost\+found$/;

/**
 * Removes the permissions of other users on the data folder and on the gateway's files in it, which
 * earlier versions or a loose umask have left. Returns the entries that were open, with their
 * modes. A folder that contains other things as well keeps its mode, because others may need to
 * read those.
 */
export function closeToOthers(dataDir: string): string[] {
  if (process.platform === 'win32') return [];
  const closed: string[] = [];
  const names = readdirSync(dataDir);
  const isOwn = names.every((name) => own.test(name) || ofSystem.test(name));
  if (isOwn && (statSync(dataDir).mode & STICKY) === 0) close(dataDir, closed);
  for (const name of names.filter((each) => own.test(each))) closeEntry(join(dataDir, name), closed);
  // A link to a store elsewhere: SQLite's other files are there.
  const file = join(dataDir, 'trainyard.sqlite');
  if (isLink(file) && existsSync(file))
    for (const part of ['', '-wal', '-shm', '.lock']) if (existsSync(realpathSync(file) + part)) close(realpathSync(file) + part, closed);
  return closed;
}

/**
 * Closes a file, or a folder with its direct contents, and the contents of folders that were open.
 * Follows no links.
 */
function closeEntry(path: string, closed: string[]): void {
  const found = lstatSync(path);
  if (found.isSymbolicLink()) return;
  if (!found.isDirectory()) {
    close(path, closed);
    return;
  }
  const wasOpen = close(path, closed);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isSymbolicLink() || (!entry.isFile() && !entry.isDirectory())) continue;
    const inner = join(path, entry.name);
    // There are at most 1,024 shards. Their files, of which there may be millions, were open only
    // if their folder was.
    if (close(inner, closed) || wasOpen) if (entry.isDirectory() && path.endsWith('fragments')) closeFiles(inner, closed);
  }
}

function closeFiles(folder: string, closed: string[]): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) if (entry.isFile()) close(join(folder, entry.name), closed);
}

/** Returns whether it was open. */
function close(path: string, closed: string[]): boolean {
  const mode = statSync(path).mode & 0o7777;
  if ((mode & OTHERS) === 0) return false;
  chmodSync(path, mode & ~OTHERS);
  closed.push(`${path} (${(mode & 0o777).toString(8)})`);
  return true;
}

const isLink = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
