/** A `docker` for agents to find, that writes down what it was asked for. */
import { readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createFolder } from '../support/folders.ts';

export interface DockerCall {
  readonly args: readonly string[];
  /** The lines of its env file, if it was given one. */
  readonly given: readonly string[];
  /** The names of the variables of its own environment. */
  readonly own: readonly string[];
}

export interface StandInDocker {
  /** A PATH on which it comes first. */
  readonly path: string;
  calls(command: string): DockerCall[];
}

const program = fileURLToPath(new URL('docker-stand-in.ts', import.meta.url));

export function placeDocker(): StandInDocker {
  const folder = createFolder('docker');
  const record = join(folder, 'calls.jsonl');
  writeFileSync(record, '');
  writeFileSync(join(folder, 'docker'), `#!/bin/sh\nexec '${process.execPath}' '${program}' '${record}' "$@"\n`, { mode: 0o755 });
  return {
    path: `${folder}${delimiter}${process.env.PATH ?? ''}`,
    calls: (command) =>
      readFileSync(record, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as DockerCall) // as the stand-in writes it
        .filter(({ args }) => args[0] === command),
  };
}
