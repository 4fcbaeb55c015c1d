/** Keeps what a gateway wrote for its own user: the store holds the hashes of keys and the secret that signs URLs, a fragment somebody's data. */
import { chmodSync, existsSync, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The bits of everyone but the owner. */
const OTHERS = 0o077;
/** On a shared folder like /tmp: what is in it belongs to many. */
const STICKY = 0o1000;
/** What a gateway and its agent make in the data folder. */
const own = /^(trainyard\.sqlite.*|credentials\.json(\.new)?|fragments|agent)$/;
/** What a file system has at its top by itself. */
const ofSystem = /^lost\+found$/;

/**
 * Takes from all other users what they may do to the data folder and to what a gateway made in it, as versions before this one and a loose umask left it.
 * Answers what was open, with its mode. A folder that holds something else as well stays as it is: who put it there may want others to see it.
 */
export function closeToOthers(dataDir: string): string[] {
  if (process.platform === 'win32') return [];
  const closed: string[] = [];
  const names = readdirSync(dataDir);
  const isOwn = names.every((name) => own.test(name) || ofSystem.test(name));
  if (isOwn && (statSync(dataDir).mode & STICKY) === 0) close(dataDir, closed);
  for (const name of names.filter((each) => own.test(each))) closeEntry(join(dataDir, name), closed);
  // A link to a store elsewhere: what SQLite keeps beside it is there.
  const file = join(dataDir, 'trainyard.sqlite');
  if (isLink(file) && existsSync(file))
    for (const part of ['', '-wal', '-shm', '.lock']) if (existsSync(realpathSync(file) + part)) close(realpathSync(file) + part, closed);
  return closed;
}

/** A file, or a folder and what is directly in it; and what is in folders that were open. No link is followed. */
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
    // The shards of fragments are 1,024 at most; the files in them, of which there may be millions, were never open but where their folder was.
    if (close(inner, closed) || wasOpen) if (entry.isDirectory() && path.endsWith('fragments')) closeFiles(inner, closed);
  }
}

function closeFiles(folder: string, closed: string[]): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) if (entry.isFile()) close(join(folder, entry.name), closed);
}

/** Whether it was open. */
function close(path: string, closed: string[]): boolean {
  const mode = statSync(path).mode & 0o7777;
  if ((mode & OTHERS) === 0) return false;
  chmodSync(path, mode & ~OTHERS);
  closed.push(`${path} (${(mode & 0o777).toString(8)})`);
  return true;
}

const isLink = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
