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
      description: 'the target: a data folder without a store',
      defaultText: '$TRAINYARD_DATA_DIR, else ./data',
    },
    'database-url': {
      value: 'URL',
      description: 'the target: an empty PostgreSQL database; its fragments go into the data folder',
      defaultText: '$TRAINYARD_DATABASE_URL',
    },
    'end-leases': {
      description: 'end the leases held when the backup was taken; without it, devices that still hold them go on',
    },
    json: { description: 'print a summary as JSON' },
  },
  run: ({ folder, location, given, signal, say }) => restoreBackup(folder, location, { endsLeases: given.has('end-leases'), signal, say }),
  describe: (_folder, { takenAt }, content) => `Restored the store as of ${takenAt}: ${content}.`,
};
