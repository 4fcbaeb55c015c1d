/** The exact command lines for the `docker` program: made from a step's container, run elsewhere. */
import type { ClaimedStepFieldsFragment, ContainerFieldsFragment, LeaseFieldsFragment } from '../../client/generated.ts';
import { attemptName, containerNameOf, containerWorkFolder } from '../files/folder.ts';
import { CannotRunError } from '../process/running.ts';
import { splitCommand } from './command.ts';

export interface RunOptions {
  readonly image: string;
  /** A file of `NAME=value` lines with what the container's processes get: see `formatEnvironment`. */
  readonly envFile: string;
  /** The attempt's work folder on the host, mounted at /trainyard. */
  readonly work: string;
  /** How its port and the gateway are reached. */
  readonly network: 'HOST' | 'OWN';
  /** The UUIDs of its GPUs. */
  readonly gpus: readonly string[];
  /** Half of it is what /dev/shm may take where a step asks for shared memory but not how much memory it needs. */
  readonly machineMemoryMb: number;
}

/** A container's name: one for each attempt, the same for whoever wants to find it again. */
export function containerName(step: ClaimedStepFieldsFragment, attempt: number): string {
  return containerNameOf(attemptName(step, attempt));
}

/**
 * `docker run` in the foreground, so that its output is the step's and its exit code too. What comes from a job stands behind `=` or behind `--`, where no
 * text is taken for a flag. Throws CommandSyntaxError.
 */
export function runArguments(step: ClaimedStepFieldsFragment, lease: LeaseFieldsFragment, options: RunOptions): string[] {
  const { container } = step;
  const [program, ...programArguments] = splitCommand(container?.entrypoint ?? '');
  return [
    'run',
    // Signals reach the command even if it is a shell, which as process 1 would ignore them; and its zombies are waited for.
    '--init',
    `--name=${containerName(step, lease.attempt)}`,
    `--label=trainyard.job=${step.job.id}`,
    `--label=trainyard.step=${step.number}`,
    `--label=trainyard.attempt=${lease.attempt}`,
    `--mount=${mountOf({ type: 'bind', source: options.work, target: containerWorkFolder })}`,
    `--env-file=${options.envFile}`,
    ...volumeArguments(container?.volumes ?? []),
    ...networkArguments(container?.http ?? null, options.network),
    ...resourceArguments(step, options),
    ...(program === undefined ? [] : [`--entrypoint=${program}`]),
    '--',
    options.image,
    ...programArguments,
    ...splitCommand(container?.command ?? ''),
  ];
}

/** `docker build`. A context with a scheme (a git repository) is the engine's to fetch; in a folder the Dockerfile is looked for below it. */
export function buildArguments(build: NonNullable<ContainerFieldsFragment['build']>, tag: string): string[] {
  const isRemote = /^(\w+:\/\/|git@|github\.com\/)/.test(build.context);
  const isElsewhere = isRemote || build.dockerfile.startsWith('/');
  const dockerfile = isElsewhere ? build.dockerfile : `${build.context.replace(/\/+$/, '')}/${build.dockerfile}`;
  const properties = Object.entries(build.properties).map(
    ([name, value]) => `--build-arg=${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return ['build', `--tag=${tag}`, `--file=${dockerfile}`, ...properties, '--', build.context];
}

/** As Go's bufio.Scanner, which docker reads the file with, takes a line: less than this with its end. */
const LONGEST_LINE = 65_536;

/**
 * The lines of an env file. Neither a command line nor docker's own environment will do for them: the one can be read by every user of the machine, and
 * in the other a variable like LD_PRELOAD would act on docker itself. Throws CannotRunError for a value that no line can carry.
 */
export function formatEnvironment(env: Readonly<Record<string, string>>): string {
  const lines = Object.entries(env).map(([name, value]) => {
    const line = `${name}=${value}`;
    const refuse = (why: string) => {
      throw new CannotRunError('DEVICE_REPORTED', `The variable ${name} cannot be given to a container: its value ${why}.`);
    };
    if (value.includes('\n')) refuse('has a line break. Encode it, as base64 say, or hand it over in a file');
    // A carriage return before the line's end would be taken for a part of that.
    if (value.endsWith('\r')) refuse('ends with a carriage return');
    if (Buffer.byteLength(line) + 1 >= LONGEST_LINE)
      refuse(`and name have ${Buffer.byteLength(line)} bytes, and docker reads less than 64 KiB`);
    return line;
  });
  return `${lines.join('\n')}\n`;
}

/** `storage` is a folder of the host when it starts with a slash, else the name of one of the engine's volumes. */
function volumeArguments(volumes: ContainerFieldsFragment['volumes']): string[] {
  return volumes.map(({ storage, containerPath, isReadOnly }) => {
    const type = storage.startsWith('/') ? 'bind' : 'volume';
    return `--mount=${mountOf({ type, source: storage, target: containerPath })}${isReadOnly ? ',readonly' : ''}`;
  });
}

/** `--mount` reads its value as a line of CSV: a field with a comma or a quote stands in quotes. */
function mountOf(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .map((field) => (/[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field))
    .join(',');
}

/** A free port of the host, chosen by the engine; of the loopback alone when the port is meant to be behind authentication. */
function networkArguments(http: ContainerFieldsFragment['http'], network: RunOptions['network']): string[] {
  if (network === 'HOST') return ['--network=host'];
  if (http === null) return [];
  return [`--publish=${http.requiresAuth ? '127.0.0.1' : '0.0.0.0'}::${http.port}`];
}

/** What is asked of the device for the step as a whole counts where its container says nothing. */
function resourceArguments({ container, resources }: ClaimedStepFieldsFragment, { gpus, machineMemoryMb }: RunOptions): string[] {
  const own = container?.resources;
  const cpu = own?.cpu ?? resources.cpu;
  const memoryMb = own?.memoryMb ?? resources.memoryMb;
  const shm = (own?.shm ?? false) || resources.shm;
  return [
    ...(cpu === null ? [] : [`--cpus=${cpu}`]),
    ...(memoryMb === null ? [] : [`--memory=${memoryMb}m`]),
    // Quoted, for the value is a line of CSV, and the list is one field of it.
    ...(gpus.length === 0 ? [] : [`--gpus="device=${gpus.join(',')}"`]),
    // The engine's own 64 MB are too few for the workers of a data loader. What is written there counts as the container's memory.
    ...(shm ? [`--shm-size=${memoryMb ?? Math.floor(machineMemoryMb / 2)}m`] : []),
  ];
}
