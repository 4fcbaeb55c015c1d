import type { FileHandle } from 'node:fs/promises';
import { quoteName } from '../../text/acceptable.ts';
import { Directory, NotPlain } from './directory.ts';

/** A plain file in a step's fragments folder. */
export interface FragmentFile {
  /** Relative to the folder: `plots/loss.png`. */
  readonly path: string;
  readonly handle: FileHandle;
}

/** Far more than a step needs, and few enough to walk through. */
const mostEntries = 10_000;
const deepest = 16;

/** The state of a walk through the folder. */
interface Walk {
  readonly most: number;
  readonly note: (line: string) => void;
  readonly hidden: string[];
  entries: number;
}

/**
 * Yields the plain files in the fragments folder and its subfolders, sorted by name. Each is closed
 * when the next one is requested. Notes what is not uploaded.
 */
export async function* fragmentFiles(work: Directory, note: (line: string) => void, most = mostEntries): AsyncGenerator<FragmentFile> {
  const walk: Walk = { most, note, hidden: [], entries: 0 };
  const root = await work.directory('fragments').catch((error: Error) => error);
  if (root === null) note('The fragments folder is gone: nothing is uploaded.');
  else if (root instanceof Error) note(`The fragments folder ${reasonOf(root)}: nothing is uploaded.`);
  else yield* filesIn(root, '', walk, 1);
  if (walk.entries > most) note(`There are more than ${most} entries in fragments: the rest is not uploaded.`);
  if (walk.hidden.length > 0) note(describeHidden(walk.hidden));
}

/** Also closes the folder. */
async function* filesIn(folder: Directory, prefix: string, walk: Walk, depth: number): AsyncGenerator<FragmentFile> {
  try {
    for (const bytes of await namesIn(folder, prefix, walk)) {
      const name = bytes.toString('utf8');
      const path = `${prefix}${name}`;
      if (name.startsWith('.')) walk.hidden.push(path);
      else if (!Buffer.from(name).equals(bytes)) walk.note(`${quoteName(`fragments/${path}`)} is not uploaded: its name is not UTF-8.`);
      else yield* entryOf(folder, bytes, path, walk, depth);
    }
  } finally {
    await folder.close();
  }
}

/** Sorted, so that the order is the same each time. */
async function namesIn(folder: Directory, prefix: string, walk: Walk): Promise<Buffer[]> {
  const names: Buffer[] = [];
  try {
    for await (const name of folder.names()) {
      walk.entries += 1;
      if (walk.entries > walk.most) break;
      names.push(name);
    }
  } catch (error) {
    walk.note(`${quoteName(`fragments/${prefix}`)} ${reasonOf(error)}: it is not uploaded.`);
  }
  return names.sort(Buffer.compare);
}

async function* entryOf(folder: Directory, name: Buffer, path: string, walk: Walk, depth: number): AsyncGenerator<FragmentFile> {
  const entry = await folder.entry(name).catch((error: Error) => error);
  if (entry === null) return;
  if (entry instanceof Error) {
    walk.note(`${quoteName(`fragments/${path}`)} ${reasonOf(entry)}: it is not uploaded.`);
  } else if (!(entry instanceof Directory)) {
    try {
      yield { path, handle: entry };
    } finally {
      await entry.close();
    }
  } else if (depth < deepest) {
    yield* filesIn(entry, `${path}/`, walk, depth + 1);
  } else {
    await entry.close();
    walk.note(`${quoteName(`fragments/${path}`)} is nested deeper than ${deepest} folders: it is not uploaded.`);
  }
}

const reasonOf = (error: unknown): string => {
  if (error instanceof NotPlain) return error.message;
  return `cannot be read (${error instanceof Error && 'code' in error ? String(error.code) : String(error)})`;
};

function describeHidden(paths: readonly string[]): string {
  const shown = paths.slice(0, 5).map((path) => quoteName(path));
  const rest = paths.length > shown.length ? ` and ${paths.length - shown.length} more` : '';
  return `Not uploaded, because their names start with a dot: ${shown.join(', ')}${rest}.`;
}
