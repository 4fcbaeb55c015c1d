/** The exact command lines for the `docker` program: made from a step's container, run elsewhere. */
import type { ClaimedStepFieldsFragment, ContainerFieldsFragment, LeaseFieldsFragment } from '../client/generated.ts';
import { splitCommand } from './command.ts';
import { containerWorkFolder } from './folder.ts';

/** A command line, and the variables that it takes over from the environment of the program that runs it. */
export interface DockerCommand {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

export interface RunOptions {
  readonly image: string;
  /** What the container's processes get. */
  readonly env: Readonly<Record<string, string>>;
  /** The attempt's work folder on the host, mounted at /trainyard. */
  readonly work: string;
  /** Whether the container shares the host's network: only so can it reach a gateway that listens on the host's loopback. */
  readonly usesHostNetwork: boolean;
  /** Half of it is what /dev/shm may take where a step asks for shared memory but not how much memory it needs. */
  readonly machineMemoryMb: number;
}

/** A container's name: one for each attempt, the same for who wants to find it again. */
export function containerName(step: ClaimedStepFieldsFragment, attempt: number): string {
  return `trainyard-${step.id}-${attempt}`;
}

/** `docker run` in the foreground, so that its output is the step's and its exit code too. Throws CommandSyntaxError. */
export function runCommand(step: ClaimedStepFieldsFragment, lease: LeaseFieldsFragment, options: RunOptions): DockerCommand {
  const { container } = step;
  const entrypoint = splitCommand(container?.entrypoint ?? '');
  const [program, ...programArguments] = entrypoint;
  const env = environmentArguments(options.env);
  return {
    args: [
      'run',
      // Signals reach the command even if it is a shell, which as process 1 would ignore them; and its zombies are waited for.
      '--init',
      ...['--name', containerName(step, lease.attempt)],
      ...[
        '--label',
        `trainyard.job=${step.job.id}`,
        '--label',
        `trainyard.step=${step.number}`,
        '--label',
        `trainyard.attempt=${lease.attempt}`,
      ],
      ...['--mount', mountOf({ type: 'bind', source: options.work, target: containerWorkFolder })],
      ...env.args,
      ...volumeArguments(container?.volumes ?? []),
      ...networkArguments(container?.http ?? null, options.usesHostNetwork),
      ...resourceArguments(needsOf(step), options.machineMemoryMb),
      ...(program === undefined ? [] : ['--entrypoint', program]),
      options.image,
      ...programArguments,
      ...splitCommand(container?.command ?? ''),
    ],
    environment: env.environment,
  };
}

/** `docker build`. A context with a scheme (a git repository) is the engine's to fetch; in a folder the Dockerfile is looked for below it. */
export function buildArguments(build: NonNullable<ContainerFieldsFragment['build']>, tag: string): string[] {
  const isRemote = /^(\w+:\/\/|git@|github\.com\/)/.test(build.context);
  const isElsewhere = isRemote || build.dockerfile.startsWith('/');
  const dockerfile = isElsewhere ? build.dockerfile : `${build.context.replace(/\/+$/, '')}/${build.dockerfile}`;
  const properties = Object.entries(build.properties).flatMap(([name, value]) => [
    '--build-arg',
    `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  ]);
  return ['build', '--tag', tag, '--file', dockerfile, ...properties, build.context];
}

/** What is asked of the device for the step as a whole counts where its container says nothing. */
function needsOf(step: ClaimedStepFieldsFragment): ContainerFieldsFragment['resources'] {
  const own = step.container?.resources;
  return {
    memoryMb: own?.memoryMb ?? step.resources.memoryMb,
    cpu: own?.cpu ?? step.resources.cpu,
    gpu: own?.gpu ?? step.resources.gpu,
    gpuModel: own?.gpuModel ?? step.resources.gpuModel,
    shm: (own?.shm ?? false) || step.resources.shm,
  };
}

/** Read by the docker program itself, for which they must stay what they are. */
const readByDocker = /^(PATH|HOME|DOCKER_.*|BUILDKIT_.*|COMPOSE_.*|TMPDIR|.*_PROXY)$/i;

/** By name, with the value in the environment of the docker program: a command line, and a token in it, can be read by every user of the machine. */
function environmentArguments(env: Readonly<Record<string, string>>): DockerCommand {
  const byValue = ([name]: [string, string]) => readByDocker.test(name);
  const entries = Object.entries(env);
  return {
    args: entries.flatMap((entry) => ['--env', byValue(entry) ? `${entry[0]}=${entry[1]}` : entry[0]]),
    environment: Object.fromEntries(entries.filter((entry) => !byValue(entry))),
  };
}

/** `storage` is a folder of the host when it starts with a slash, else the name of one of the engine's volumes. */
function volumeArguments(volumes: ContainerFieldsFragment['volumes']): string[] {
  return volumes.flatMap(({ storage, containerPath, isReadOnly }) => [
    '--mount',
    mountOf({ type: storage.startsWith('/') ? 'bind' : 'volume', source: storage, target: containerPath }) +
      (isReadOnly ? ',readonly' : ''),
  ]);
}

/** `--mount` reads its value as a line of CSV: a field with a comma or a quote stands in quotes. */
function mountOf(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .map((field) => (/[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field))
    .join(',');
}

/** A free port of the host, chosen by the engine; of the loopback alone when the port is meant to be behind authentication. */
function networkArguments(http: ContainerFieldsFragment['http'], usesHostNetwork: boolean): string[] {
  if (usesHostNetwork) return ['--network', 'host'];
  if (http === null) return [];
  return ['--publish', `${http.requiresAuth ? '127.0.0.1' : '0.0.0.0'}::${http.port}`];
}

function resourceArguments(needs: ContainerFieldsFragment['resources'], machineMemoryMb: number): string[] {
  const { cpu, memoryMb, gpu, shm } = needs;
  return [
    ...(cpu === null ? [] : ['--cpus', String(cpu)]),
    ...(memoryMb === null ? [] : ['--memory', `${memoryMb}m`]),
    ...(gpu === null || gpu === 0 ? [] : ['--gpus', String(gpu)]),
    // The engine's own 64 MB are too few for the workers of a data loader. What is written there counts as the container's memory.
    ...(shm ? ['--shm-size', `${memoryMb ?? Math.floor(machineMemoryMb / 2)}m`] : []),
  ];
}
