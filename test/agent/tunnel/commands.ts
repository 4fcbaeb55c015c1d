/** Runs the command line with stdin and bytes. */
import { PassThrough, type Readable } from 'node:stream';
import { run } from '../../../src/cli/cli.ts';
import type { Station } from '../station.ts';

export interface Ended {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly stdin?: Readable;
  readonly signal?: AbortSignal;
  /** Default: the administrator's. */
  readonly key?: string;
}

/** Runs `trainyard ARGS` against the station's gateway. */
export async function runAt(
  { gateway }: Station,
  args: readonly string[],
  { stdin, signal = new AbortController().signal, key = gateway.adminKey }: CommandOptions = {},
): Promise<Ended> {
  const collect = () => {
    const parts: Buffer[] = [];
    const output = new PassThrough().on('data', (part: Buffer) => parts.push(part));
    return { output, all: () => Buffer.concat(parts) };
  };
  const [stdout, stderr] = [collect(), collect()];
  const env = { TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: key };
  const code = await run(args, { stdout: stdout.output, stderr: stderr.output, env, signal, ...(stdin && { stdin: () => stdin }) });
  return { code, stdout: stdout.all(), stderr: stderr.all().toString() };
}
