/** `trainyard backup`. */
import { takeBackup } from '../backup/take.ts';
import type { StoreCommand } from './store-command.ts';

export const backup: StoreCommand = {
  name: 'backup',
  summary: 'Takes a backup of a store, also while gateways run on it.',
  usage: 'FOLDER',
  argCount: [1, 1],
  flags: {
    'data-dir': {
      value: 'DIR',
      description: "the gateway's data folder: the SQLite file and the fragments",
      defaultText: '$TRAINYARD_DATA_DIR, else ./data',
    },
    'database-url': {
      value: 'URL',
      description: "the gateway's PostgreSQL, if it has one",
      defaultText: '$TRAINYARD_DATABASE_URL',
    },
    copy: { description: 'copy the fragments; without it they are hard links, if the file system has them' },
    json: { description: 'print a summary as JSON' },
  },
  notes: 'FOLDER must be new. It will contain the hashes of keys and the secret that signs URLs: protect it like the store itself.',
  run: ({ folder, location, given, signal, say }) =>
    takeBackup(location, folder, { isLinked: !given.has('copy'), signal, say, now: () => new Date() }),
  describe: (folder, { takenAt }, content) => `${folder} has the store as of ${takenAt}: ${content}.`,
};
