/**
 * Deliberate faults in the product, in the form that `startGateway` takes: a test that does not
 * notice them proves nothing.
 */
import { fileURLToPath } from 'node:url';

const alter = fileURLToPath(new URL('preloads/alter.ts', import.meta.url));

export interface Alteration {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

interface Altered {
  readonly program: string;
  readonly nodeFlags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** The options that start a program with these alterations. */
export function altered(...alterations: readonly Alteration[]): Altered {
  return { program: 'src/main.ts', nodeFlags: ['--import', alter], env: { CHAOS_ALTER: JSON.stringify(alterations) } };
}

/** SQLite syncs only at checkpoints: a kill keeps the data, a power loss does not. */
export const synchronousNormal: Alteration = {
  file: 'src/store/sqlite/file.ts',
  from: "synchronous = 'FULL'",
  to: "synchronous = 'NORMAL'",
};

/** File names are not made durable. */
export const unsyncedFolders: Alteration = { file: 'src/store/files/disk.ts', from: 'await folder.sync();', to: '' };

/** The files left by a process that was killed before its sync are taken as durable. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is a piece of source
export const trustedWal: Alteration = { file: 'src/store/sqlite/file.ts', from: 'writeAnew(`${file}-wal`);', to: '' };
