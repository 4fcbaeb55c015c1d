/** Faults that are put into the product on purpose, as `startGateway` takes them: what a proof must find, or it proves nothing. */
import { fileURLToPath } from 'node:url';

const alter = fileURLToPath(new URL('preloads/alter.ts', import.meta.url));

export interface Alteration {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** What to start a program with so that it runs altered. */
export function altered(...alterations: readonly Alteration[]): { nodeFlags: readonly string[]; env: Readonly<Record<string, string>> } {
  return { nodeFlags: ['--import', alter], env: { CHAOS_ALTER: JSON.stringify(alterations) } };
}

/** SQLite syncs at checkpoints alone: what a kill keeps and a power loss takes. */
export const synchronousNormal: Alteration = {
  file: 'src/store/sqlite/file.ts',
  from: "synchronous = 'FULL'",
  to: "synchronous = 'NORMAL'",
};

/** The names of files are not made durable. */
export const unsyncedFolders: Alteration = { file: 'src/store/files/disk.ts', from: 'await folder.sync();', to: '' };

/** What a process that was killed before its sync has left is taken as durable. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is a piece of source
export const trustedWal: Alteration = { file: 'src/store/sqlite/file.ts', from: 'writeAnew(`${file}-wal`);', to: '' };
