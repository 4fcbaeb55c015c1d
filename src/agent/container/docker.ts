/** Builds the command lines of the `docker` program from a step's container. */
import type { ClaimedStepFieldsFragment, ContainerFieldsFragment, LeaseFieldsFragment } from '../../client/generated.ts';
import { attemptName } from '../../tunnel/protocol.ts';
import { containerNameOf, containerWorkFolder } from '../files/folder.ts';
import { CannotRunError } from '../process/running.ts';
import { splitCommand } from './command.ts';

export interface RunOptions {
  readonly image: string;
  /** A file of `NAME=value` lines with the container's environment: see `formatEnvironment`. */
  readonly envFile: string;
  /** The attempt's work folder on the host, mounted at /trainyard. */
  readonly work: string;
  /** How the step's port and the gateway are reached. */
  readonly network: 'HOST' | 'OWN';
  /** The UUIDs of its GPUs. */
  readonly gpus: readonly string[];
  /**
   * /dev/shm may take half of it when a step asks for shared memory but not for an amount of
   * memory.
   */
  readonly machineMemoryMb: number;
}

/** A container's name: one for each attempt, and always the same for that attempt. */
export function containerName(step: ClaimedStepFieldsFragment, attempt: number): string {
  return containerNameOf(attemptName(step.id, attempt));
}

/**
 * `docker run` in the foreground, so its output and exit code are the step's. Text from a job
 * stands behind `=` or `--`, so it cannot be taken for a flag. Throws CommandSyntaxError.
 */
export function runArguments(step: ClaimedStepFieldsFragment, lease: LeaseFieldsFragment, options: RunOptions): string[] {
  const { container } = step;
  const [program, ...programArguments] = splitCommand(container?.entrypoint ?? '');
  return [
    'run',
    // An init forwards signals, which a shell as process 1 would ignore, and waits for zombies.
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

/**
 * `docker build`. A context with a scheme (a git repository) is fetched by the engine. In a folder,
 * the Dockerfile is looked up below it.
 */
export function buildArguments(build: NonNullable<ContainerFieldsFragment['build']>, tag: string): string[] {
  const isRemote = /^(\w+:\/\/|git@|github\.com\/)/.test(build.context);
  const isElsewhere = isRemote || build.dockerfile.startsWith('/');
  const dockerfile = isElsewhere ? build.dockerfile : `${build.context.replace(/\/+$/, '')}/${build.dockerfile}`;
  const properties = Object.entries(build.properties).map(
    ([name, value]) => `--build-arg=${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return ['build', `--tag=${tag}`, `--file=${dockerfile}`, ...properties, '--', build.context];
}

/**
 * Docker reads the file with Go's bufio.Scanner, which takes shorter lines only, line end included.
 */
const LONGEST_LINE = 65_536;

/**
 * The lines of an env file. Variables are passed neither on the command line, which every user of
 * the machine can read, nor in docker's own environment, where one like LD_PRELOAD would act on
 * docker itself. Throws CannotRunError for a value that does not fit on a line.
 */
export function formatEnvironment(env: Readonly<Record<string, string>>): string {
  const lines = Object.entries(env).map(([name, value]) => {
    const line = `${name}=${value}`;
    const refuse = (why: string) => {
      throw new CannotRunError('DEVICE_REPORTED', `The variable ${name} cannot be passed to a container: its value ${why}.`);
    };
    if (value.includes('\n')) refuse('has a line break. Encode it, for example as base64, or pass it in a file');
    // Docker would take a carriage return at the end for a part of the line break.
    if (value.endsWith('\r')) refuse('ends with a carriage return');
    if (Buffer.byteLength(line) + 1 >= LONGEST_LINE)
      refuse(`and name have ${Buffer.byteLength(line)} bytes, and docker reads less than 64 KiB`);
    return line;
  });
  return `${lines.join('\n')}\n`;
}

/** `storage` is a host folder if it starts with a slash, else the name of an engine volume. */
function volumeArguments(volumes: ContainerFieldsFragment['volumes']): string[] {
  return volumes.map(({ storage, containerPath, isReadOnly }) => {
    const type = storage.startsWith('/') ? 'bind' : 'volume';
    return `--mount=${mountOf({ type, source: storage, target: containerPath })}${isReadOnly ? ',readonly' : ''}`;
  });
}

/** `--mount` parses its value as a line of CSV, so a field with a comma or a quote is quoted. */
function mountOf(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .map((field) => (/[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field))
    .join(',');
}

/**
 * A free host port, chosen by the engine. On the loopback only when the port requires
 * authentication.
 */
function networkArguments(http: ContainerFieldsFragment['http'], network: RunOptions['network']): string[] {
  if (network === 'HOST') return ['--network=host'];
  if (http === null) return [];
  return [`--publish=${http.requiresAuth ? '127.0.0.1' : '0.0.0.0'}::${http.port}`];
}

/** The step's own resources count where its container sets none. */
function resourceArguments({ container, resources }: ClaimedStepFieldsFragment, { gpus, machineMemoryMb }: RunOptions): string[] {
  const own = container?.resources;
  const cpu = own?.cpu ?? resources.cpu;
  const memoryMb = own?.memoryMb ?? resources.memoryMb;
  const shm = (own?.shm ?? false) || resources.shm;
  return [
    ...(cpu === null ? [] : [`--cpus=${cpu}`]),
    ...(memoryMb === null ? [] : [`--memory=${memoryMb}m`]),
    // Quoted, because the value is a line of CSV and the list is one field of it.
    ...(gpus.length === 0 ? [] : [`--gpus="device=${gpus.join(',')}"`]),
    // The engine's default of 64 MB is too small for the workers of a data loader. Shared memory
    // counts as the container's memory.
    ...(shm ? [`--shm-size=${memoryMb ?? Math.floor(machineMemoryMb / 2)}m`] : []),
  ];
}
