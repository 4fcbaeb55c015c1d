/**
 * `npm run example`: runs run.py, with this checkout's Python package, on the gateway of the
 * environment, on the one that `npm start` runs, or on one with a temporary store.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { openGateway } from './gateway.ts';

const home = import.meta.dirname;
const interruption = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => interruption.abort());
try {
  const { target, isTemporary, stop } = await openGateway(interruption.signal);
  try {
    process.stdout.write(`gateway ${target.url}${isTemporary ? ' (started for this, on a temporary store)' : ''}\n`);
    const env = {
      ...{ ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONPATH: join(home, '../../python/src') },
      ...{ TRAINYARD_URL: target.url, TRAINYARD_TOKEN: target.token },
    };
    const child = spawn('python3', [join(home, 'run.py'), ...process.argv.slice(2)], { env, stdio: 'inherit' });
    // Ctrl-C reaches it by itself, and it cancels the job.
    interruption.signal.addEventListener('abort', () => child.kill('SIGINT'));
    const [code] = await once(child, 'exit');
    process.exitCode = code ?? 130;
  } finally {
    await stop();
  }
} catch (error) {
  if (!interruption.signal.aborted) console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = interruption.signal.aborted ? 130 : 1;
}
