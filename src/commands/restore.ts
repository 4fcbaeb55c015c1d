/** `trainyard restore`. */
import { restoreBackup } from '../backup/restore.ts';
import type { StoreCommand } from './store-command.ts';

export const restore: StoreCommand = {
  name: 'restore',
  summary: 'Restores a backup into an empty store.',
  usage: 'FOLDER',
  argCount: [1, 1],
  flags: {
    'data-dir': {
      value: 'DIR',
      description: 'where to: a data folder without a store',
      defaultText: '$TRAINYARD_DATA_DIR, else ./data',
    },
    'database-url': {
      value: 'URL',
      description: 'where to: an empty PostgreSQL database; its fragments go into the data folder',
      defaultText: '$TRAINYARD_DATABASE_URL',
    },
    'end-leases': {
      description: 'refuse the leases that were held when the backup was taken; else devices that still have them go on',
    },
    json: { description: 'print what was restored as JSON' },
  },
  run: ({ folder, location, given, signal, say }) => restoreBackup(folder, location, { endsLeases: given.has('end-leases'), signal, say }),
  describe: (_folder, { takenAt }, content) => `Restored: ${content}, of ${takenAt}.`,
};
