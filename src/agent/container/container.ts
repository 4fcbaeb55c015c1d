import { writeFile } from 'node:fs/promises';
import type { StatusReason } from '../../client/generated.ts';
import { wait } from '../../timing/backoff.ts';
import { attemptName } from '../../tunnel/protocol.ts';
import type { StartOptions } from '../attempt/start.ts';
import { containerWorkFolder, placeFiles } from '../files/folder.ts';
import { askEngine, engineEnvironment, hasEngine } from '../machine/engine.ts';
import { gpuEnvironment } from '../machine/gpu-pool.ts';
import { machineMemoryMb } from '../machine/resources.ts';
import { ContainerMeter } from '../machine/telemetry.ts';
import { describeStep } from '../process/environment.ts';
import { InnerCommands, innerVariable } from '../process/inner-commands.ts';
import { GroupProcess, type ProcessExit } from '../process/process.ts';
import { CannotRunError, EngineAwayError, type RunningStep, type StepExit } from '../process/running.ts';
import { buildArguments, containerName, formatEnvironment, runArguments } from './docker.ts';
import { listMemoryKills } from './kernel-log.ts';
import { findContainerPort, findHttpUrl } from './ports.ts';

/** How long the docker program may take once its container has ended, or it was told to end it. */
const LAST_WORD_SECONDS = 10;

/** How often to check whether the container runs. */
const LOOK_MS = 500;

/** Go's zero time: the engine reports it for a container that never started. */
const neverStarted = '0001-';

/**
 * Runs a step in a container: builds or pulls its image if needed, then runs it in the foreground.
 * Rejects with CannotRunError. A container's files and processes outlive the docker program, so
 * `exited` also removes the container.
 */
export async function startContainer(options: StartOptions): Promise<RunningStep> {
  const { step, lease, folder, note } = options;
  if (!(await hasEngine())) throw new EngineAwayError('The step needs a container, but no Docker engine answers on this device.');
  const image = await provideImage(options);
  const name = containerName(step, lease.attempt);
  const { network, isCutOff } = networkOf(options);
  if (isCutOff) note('The port requires authentication, so the container has its own network and cannot reach a gateway on the loopback.');
  const place = { name, network, httpPort: step.container?.http?.port ?? null };
  const inner = new InnerCommands(attemptName(step.id, lease.attempt));
  // Beside the work folder, which the container sees.
  const envFile = folder.containerEnvironment;
  const env = { ...describeStep(step, lease, options.url, placeFiles(containerWorkFolder)), ...gpuEnvironment(options.gpus) };
  await writeFile(envFile, formatEnvironment(env), { mode: 0o600, flag: 'wx' });
  const args = runArguments(step, lease, {
    image,
    envFile,
    work: folder.work,
    network,
    gpus: options.gpus ?? [],
    machineMemoryMb: machineMemoryMb(),
  });
  options.onPreparing('Creating the container.');
  const errors = new LastLines();
  const client = await GroupProcess.start({
    file: 'docker',
    args,
    cwd: folder.root,
    // If this agent is killed before it records the process, the next one finds the program by
    // this.
    env: { ...engineEnvironment(), TRAINYARD_FRAGMENTS: folder.paths.fragments },
    onOutput: (stream, bytes) => {
      if (stream === 'STDERR') errors.add(bytes);
      options.onOutput(stream, bytes);
    },
  });
  const end = client.exited.then((exit) => describeEnd(name, exit, errors));
  const exited = end.then(async ({ exit }) => {
    await inner.end();
    return exit;
  });
  return {
    pid: client.pid,
    container: name,
    meter: new ContainerMeter(name, (options.gpus?.length ?? 0) > 0),
    exited,
    // A container that ended between two looks has run too.
    hasStarted: (over) => Promise.race([waitForStart(name, over), end.then(({ hasRun }) => hasRun)]),
    findHttpUrl: () => findHttpUrl(place, step.container?.http?.requiresAuth ?? false),
    findPort: (port) => findContainerPort(place, port),
    exec: (command, onOutput) =>
      inner.start(
        (mark) => ({
          file: 'docker',
          args: ['exec', '--interactive', `--env=${innerVariable}=${mark}`, name, ...command],
          cwd: folder.root,
          env: engineEnvironment(),
        }),
        onOutput,
      ),
    hold: (isHeld) => client.hold(isHeld),
    async stop(graceSeconds) {
      await askEngine(['stop', '-t', String(Math.ceil(graceSeconds)), name], graceSeconds + LAST_WORD_SECONDS).catch(() => {});
      const timer = setTimeout(() => client.kill(), LAST_WORD_SECONDS * 1000);
      return exited.finally(() => clearTimeout(timer));
    },
    kill() {
      void askEngine(['kill', name], LAST_WORD_SECONDS).catch(() => {});
      client.kill();
    },
  };
}

/**
 * A gateway on this machine's loopback is reached from the host's network only. A port that
 * requires authentication needs a network of its own: on the host's network, whatever the container
 * listens on is open.
 */
function networkOf({ step, url }: StartOptions): { network: 'HOST' | 'OWN'; isCutOff: boolean } {
  const isLocal = /^(localhost|127\..*|\[::1\])$/.test(new URL(url).hostname);
  const isPrivate = step.container?.http?.requiresAuth ?? false;
  return { network: isLocal && !isPrivate ? 'HOST' : 'OWN', isCutOff: isLocal && isPrivate };
}

/** Polls the engine until the container runs, or has run. */
async function waitForStart(name: string, over: AbortSignal): Promise<boolean> {
  while (!over.aborted) {
    const startedAt = await askEngine(['inspect', '--format', '{{.State.StartedAt}}', name], 10).catch(() => '');
    if (startedAt.trim() !== '' && !startedAt.startsWith(neverStarted)) return true;
    await wait(LOOK_MS, over).catch(() => {});
  }
  return false;
}

/** Whether its command ran, and how it ended as the history says it. Removes the container. */
async function describeEnd(name: string, exit: ProcessExit, errors: LastLines): Promise<{ hasRun: boolean; exit: StepExit }> {
  const answer = await askEngine(['inspect', '--format', '{{.Id}} {{.State.OOMKilled}} {{.State.StartedAt}}', name], 10).catch(() => '');
  await askEngine(['rm', '--force', '--volumes', name], 30).catch(() => {});
  const [id = '', isMarked, startedAt = ''] = answer.trim().split(' ');
  const hasRun = exit.exitCode === 0 || (startedAt !== '' && !startedAt.startsWith(neverStarted));
  const failure =
    exit.exitCode === 0 && isMarked !== 'true' ? null : describeFailure({ id, isMarked: isMarked === 'true', hasRun, errors });
  return { hasRun, exit: { ...exit, failure } };
}

type ContainerEnd = { id: string; isMarked: boolean; hasRun: boolean; errors: LastLines };

function describeFailure({ id, isMarked, hasRun, errors }: ContainerEnd): StepExit['failure'] {
  // Some engines miss an out-of-memory kill that the kernel's log shows.
  if (isMarked || (id !== '' && listMemoryKills().some((kill) => kill.cgroup.includes(id))))
    return { reason: 'OUT_OF_MEMORY', description: 'The container exceeded its memory limit.' };
  const reported = (description: string): StepExit['failure'] => ({ reason: 'DEVICE_REPORTED', description });
  // The container was created at most: the exit code is not the command's.
  if (!hasRun) return reported(`Docker could not run the container: ${errors.find(/^docker: (.+)$/)}`);
  const missing = errors.last.match(noCommand);
  if (missing !== null) return reported(`The image has no such command, or it cannot be run: ${missing[1] ?? missing[2]}`);
  return null;
}

/** What a container's init (tini, or Podman's catatonit) prints when the command cannot be run. */
const noCommand = /^(?:\[FATAL tini \(\d+\)\] (exec .+)|ERROR \(catatonit:\d+\): failed to exec pid1: (.+))$/;

/** The end of what the docker program and its container printed to stderr. */
class LastLines {
  #text = '';

  add(bytes: Buffer): void {
    this.#text = (this.#text + bytes.toString('utf8')).slice(-4_096);
  }

  get last(): string {
    return this.#text.trimEnd().split('\n').at(-1) ?? '';
  }

  /** The capture of the last line that matches; without a match, the last line. */
  find(pattern: RegExp): string {
    const found = this.#text
      .split('\n')
      .map((line) => pattern.exec(line.trimEnd())?.[1])
      .filter((match) => match !== undefined);
    return found.at(-1) ?? this.last;
  }
}

async function provideImage({ step, lease, folder, onOutput, note, onPreparing, signal }: StartOptions): Promise<string> {
  const { build, image } = step.container ?? {};
  const prepare = async (args: readonly string[], reason: StatusReason, what: string) => {
    note(`docker ${args.join(' ')}`);
    const errors = new LastLines();
    const client = await GroupProcess.start({
      file: 'docker',
      args,
      cwd: folder.work,
      env: engineEnvironment(),
      onOutput(stream, bytes) {
        if (stream === 'STDERR') errors.add(bytes);
        onOutput(stream, bytes);
      },
    });
    const giveUp = () => client.kill();
    if (signal.aborted) giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    const { exitCode } = await client.exited;
    signal.removeEventListener('abort', giveUp);
    if (exitCode !== 0) throw new CannotRunError(reason, `${what}: docker exited with code ${exitCode}. ${errors.last}`.trimEnd());
  };
  if (build) {
    const tag = `${containerName(step, lease.attempt).toLowerCase()}:latest`;
    requireNoFlag('build context', build.context);
    onPreparing(`Building the image from ${build.context}.`);
    await prepare(buildArguments(build, tag), 'DEVICE_REPORTED', `The image could not be built from ${build.context}`);
    return tag;
  }
  if (!image) throw new CannotRunError('DEVICE_REPORTED', 'The step has neither an image nor a build.');
  requireNoFlag('image', image);
  const isHere = await askEngine(['image', 'inspect', '--format', '{{.Id}}', '--', image], 30).then(
    () => true,
    () => false,
  );
  if (isHere) return image;
  onPreparing(`Pulling the image ${image}.`);
  await prepare(['pull', '--', image], 'IMAGE_PULL_FAILED', `The image ${image} could not be pulled`);
  return image;
}

/**
 * The gateway refuses these too, but it may be older than its agents, and its jobs older than the
 * gateway. To `docker build`, a lone dash means stdin.
 */
function requireNoFlag(what: string, value: string): void {
  if (value.startsWith('-')) throw new CannotRunError('DEVICE_REPORTED', `The ${what} ${value} starts with a dash, like a flag.`);
}
