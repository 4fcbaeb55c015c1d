/** The curl recipe: a script that runs as a process. */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type CancelData, type JobData, type LogData, tellOutcome } from '../../examples/clients/documents.ts';
import type { Recipe } from './recipe.ts';
import { type Line, undo } from './scene.ts';

export const hasCurl = spawnSync('curl', ['--version']).status === 0;

const script = fileURLToPath(new URL('../../examples/clients/curl.sh', import.meta.url));

export function runCurl({ url, key }: Line): Recipe {
  /** Resolves with the script's exit code. */
  const run = (options: readonly string[], take: (data: unknown) => void): Promise<number | null> => {
    const child = spawn('sh', [script, ...options], {
      env: { ...process.env, TRAINYARD_URL: url, TRAINYARD_TOKEN: key },
      stdio: ['ignore', 'pipe', 'ignore'], // curl reports each cut on stderr
    });
    undo.push(() => child.kill());
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    createInterface({ input: child.stdout }).on('line', (line) => take((JSON.parse(line) as { data: unknown }).data)); // an answer
    return ended;
  };
  const ask = async <Data>(command: string, id: string): Promise<Data> => {
    let data: unknown;
    await run([command, id], (answer) => {
      data = answer;
    });
    return data as Data; // the script selects it
  };
  return {
    findJob: async (id) => (await ask<JobData>('find', id)).job,
    cancelJob: async (jobId) => tellOutcome(await ask<CancelData>('cancel', jobId)),
    async followLog(jobId, print) {
      const code = await run(['follow', jobId], (data) => {
        for (const { text } of (data as LogData).log.chunks) print(text); // the script selects it
      });
      if (code !== 0) throw new Error(`The script ended with ${code}.`);
    },
  };
}
