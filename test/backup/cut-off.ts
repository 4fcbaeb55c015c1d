/**
 * Takes or restores a backup and dies, as by kill -9, when it prints a line that begins with a
 * given text. `fork` it with the command, the folder, the place and the line.
 */
import { restoreBackup } from '../../src/backup/restore.ts';
import { takeBackup } from '../../src/backup/take.ts';

const [command, folder = '', dataDir = '', databaseUrl = '', line = ''] = process.argv.slice(2);
const place = { dataDir, databaseUrl: databaseUrl || null };
const { signal } = new AbortController();
const say = (said: string) => {
  if (said.startsWith(line)) process.kill(process.pid, 'SIGKILL');
};
if (command === 'backup') await takeBackup(place, folder, { isLinked: true, signal, say, now: () => new Date() });
else await restoreBackup(folder, place, { endsLeases: false, signal, say });
