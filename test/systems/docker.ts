/**
 * A `docker` for agents where no engine runs: it records its calls and answers as docker does on
 * success. It is a shell script, because an agent calls it many times per step.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createFolder } from '../support/folders.ts';

export interface DockerCall {
  readonly args: readonly string[];
  /** The lines of its env file, if any. */
  readonly given: readonly string[];
  /** The names of its own environment variables. */
  readonly own: readonly string[];
}

export interface StandInDocker {
  /** A PATH that begins with it. */
  readonly path: string;
  calls(command: string): DockerCall[];
}

/** A file for each part of a call; the file with the arguments is written last. */
const scriptOf = (record: string) => `#!/bin/sh
call=$(mktemp ${record}/XXXXXXXX)
env >$call.own
for arg; do case "$arg" in --env-file=*) cp "\${arg#--env-file=}" $call.given;; esac; done
printf '%s\\0' "$@" >$call.part && mv $call.part $call.args
case "$1" in
  version) echo 28.2.2;;
  inspect) echo '0123abcd false 2026-01-01T00:00:00Z';;
  run) echo 'It ran.';;
esac
`;

const linesOf = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : []);

export function placeDocker(): StandInDocker {
  const folder = createFolder('docker');
  const record = createFolder('calls');
  writeFileSync(join(folder, 'docker'), scriptOf(record), { mode: 0o755 });
  return {
    path: `${folder}${delimiter}${process.env.PATH ?? ''}`,
    calls: (command) =>
      readdirSync(record)
        .filter((name) => name.endsWith('.args'))
        .map((name) => join(record, name.slice(0, -'.args'.length)))
        .map((call) => ({
          args: readFileSync(`${call}.args`, 'utf8').split('\0').slice(0, -1),
          given: linesOf(`${call}.given`),
          own: linesOf(`${call}.own`).map((line) => line.split('=')[0] ?? ''),
        }))
        .filter(({ args }) => args[0] === command),
  };
}
