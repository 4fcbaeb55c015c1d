/** `trainyard backup`. */
import { takeBackup } from '../backup/take.ts';
import type { StoreCommand } from './store-command.ts';

export const backup: StoreCommand = {
  name: 'backup',
  summary: 'Takes a backup of a store while gateways run on it.',
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
    copy: { description: 'copy the files of fragments; else they are other names of the same files where the file system can do that' },
    json: { description: 'print what was taken as JSON' },
  },
  notes: 'FOLDER is a new one. It will hold the hashes of keys and the secret that signs URLs: keep it as safe as the store itself.',
  run: ({ folder, location, given, signal, say }) =>
    takeBackup(location, folder, { isLinked: !given.has('copy'), signal, say, now: () => new Date() }),
  describe: (folder, { takenAt }, content) => `${folder} shows the store at ${takenAt}: ${content}.`,
};
