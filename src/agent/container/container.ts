import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { wait } from '../../client/backoff.ts';
import type { StatusReason } from '../../client/generated.ts';
import type { StartOptions } from '../attempt/start.ts';
import { containerWorkFolder, placeFiles } from '../files/folder.ts';
import { askEngine, engineEnvironment, hasEngine } from '../machine/engine.ts';
import { gpuEnvironment } from '../machine/gpu-pool.ts';
import { machineMemoryMb } from '../machine/resources.ts';
import { ContainerMeter } from '../machine/telemetry.ts';
import { describeStep } from '../process/environment.ts';
import { GroupProcess, type ProcessExit } from '../process/process.ts';
import { CannotRunError, EngineAwayError, type RunningStep, type StepExit } from '../process/running.ts';
import { buildArguments, containerName, formatEnvironment, runArguments } from './docker.ts';
import { listMemoryKills } from './kernel-log.ts';

/** How long the docker program may still take once its container is over, or it was told to end it. */
const LAST_WORD_SECONDS = 10;

/** Between two looks whether the container runs. */
const LOOK_MS = 500;

/** Go's zero time, with which an engine says so. */
const neverStarted = '0001-';

/**
 * Runs a step in a container: builds or pulls its image where needed, then runs it in the foreground. Rejects with CannotRunError.
 * A container's files and processes outlive the docker program, so `exited` also takes the container away.
 */
export async function startContainer(options: StartOptions): Promise<RunningStep> {
  const { step, lease, folder, note } = options;
  if (!(await hasEngine())) throw new EngineAwayError('The step needs a container, and no Docker engine answers on this device.');
  const image = await provideImage(options);
  const name = containerName(step, lease.attempt);
  const { network, isCutOff } = networkOf(options);
  if (isCutOff)
    note('Its port is for this device alone, so the container has a network of its own, and does not reach a gateway on the loopback.');
  const http = step.container?.http ?? null;
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
  options.onPreparing('Makes the container.');
  const errors = new LastLines();
  const client = await GroupProcess.start({
    file: 'docker',
    args,
    cwd: folder.root,
    // By it an agent after this one finds the program, if this one is killed before it has written down which process that is.
    env: { ...engineEnvironment(), TRAINYARD_FRAGMENTS: folder.paths.fragments },
    onOutput: (stream, bytes) => {
      if (stream === 'STDERR') errors.add(bytes);
      options.onOutput(stream, bytes);
    },
  });
  const exited = client.exited.then((exit) => describeExit(name, exit, errors));
  return {
    pid: client.pid,
    container: name,
    meter: new ContainerMeter(name, (options.gpus?.length ?? 0) > 0),
    exited,
    hasStarted: (over) => waitForStart(name, over),
    async findHttpUrl() {
      if (http === null) return null;
      return network === 'HOST' ? `http://${hostname()}:${http.port}` : findPublishedUrl(name, http.port, http.requiresAuth);
    },
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
 * A gateway that listens on this machine's loopback is only reached from the host's network. A port that not everyone may reach needs a network of
 * the container's own: on the host's, whatever it listens on is open.
 */
function networkOf({ step, url }: StartOptions): { network: 'HOST' | 'OWN'; isCutOff: boolean } {
  const isLocal = /^(localhost|127\..*|\[::1\])$/.test(new URL(url).hostname);
  const isPrivate = step.container?.http?.requiresAuth ?? false;
  return { network: isLocal && !isPrivate ? 'HOST' : 'OWN', isCutOff: isLocal && isPrivate };
}

/** Asks the engine until the container runs, or has run. */
async function waitForStart(name: string, over: AbortSignal): Promise<boolean> {
  while (!over.aborted) {
    const startedAt = await askEngine(['inspect', '--format', '{{.State.StartedAt}}', name], 10).catch(() => '');
    if (startedAt.trim() !== '' && !startedAt.startsWith(neverStarted)) return true;
    await wait(LOOK_MS, over).catch(() => {});
  }
  return false;
}

/** Which port of this host the engine has chosen. */
async function findPublishedUrl(name: string, port: number, isPrivate: boolean): Promise<string | null> {
  const answer = await askEngine(['port', name, `${port}/tcp`], 10).catch(() => '');
  const published = /:(\d+)$/m.exec(answer)?.[1];
  return published === undefined ? null : `http://${isPrivate ? '127.0.0.1' : hostname()}:${published}`;
}

/** How it ended, in the words of the history; then the container is removed. */
async function describeExit(name: string, exit: ProcessExit, errors: LastLines): Promise<StepExit> {
  const answer = await askEngine(['inspect', '--format', '{{.Id}} {{.State.OOMKilled}} {{.State.StartedAt}}', name], 10).catch(() => '');
  await askEngine(['rm', '--force', '--volumes', name], 30).catch(() => {});
  const [id = '', isMarked, startedAt = ''] = answer.trim().split(' ');
  // Some engines do not learn of it where the kernel's log does.
  const isOutOfMemory =
    isMarked === 'true' || (id !== '' && exit.exitCode !== 0 && listMemoryKills().some((kill) => kill.cgroup.includes(id)));
  if (isOutOfMemory)
    return { ...exit, failure: { reason: 'OUT_OF_MEMORY', description: 'The container needed more memory than it may have.' } };
  const reported = (description: string): StepExit => ({ ...exit, failure: { reason: 'DEVICE_REPORTED', description } });
  if (exit.exitCode === 0) return { ...exit, failure: null };
  // It was made at most, and the command never ran. So the code is not the command's either.
  if (startedAt === '' || startedAt.startsWith(neverStarted))
    return reported(`Docker could not run the container: ${errors.find(/^docker: (.+)$/)}`);
  const missing = errors.last.match(noCommand);
  if (missing !== null) return reported(`The image has no such command, or it cannot be run: ${missing[1] ?? missing[2]}`);
  return { ...exit, failure: null };
}

/** What the init process of a container (tini, or Podman's catatonit) says when the command cannot be run. */
const noCommand = /^(?:\[FATAL tini \(\d+\)\] (exec .+)|ERROR \(catatonit:\d+\): failed to exec pid1: (.+))$/;

/** The last that the docker program and its container said on stderr. */
class LastLines {
  #text = '';

  add(bytes: Buffer): void {
    this.#text = (this.#text + bytes.toString('utf8')).slice(-4_096);
  }

  get last(): string {
    return this.#text.trimEnd().split('\n').at(-1) ?? '';
  }

  /** What the last line that is like this has to say; without one, the last line. */
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
    if (exitCode !== 0) throw new CannotRunError(reason, `${what}: docker ended with ${exitCode}. ${errors.last}`.trimEnd());
  };
  if (build) {
    const tag = `${containerName(step, lease.attempt).toLowerCase()}:latest`;
    requireNoFlag('build context', build.context);
    onPreparing(`Builds the image from ${build.context}.`);
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
  onPreparing(`Fetches the image ${image}.`);
  await prepare(['pull', '--', image], 'IMAGE_PULL_FAILED', `The image ${image} could not be pulled`);
  return image;
}

/** The gateway refuses it as well; but a gateway may be older than its agents, and its jobs older than it. A lone dash is stdin to `docker build`. */
function requireNoFlag(what: string, value: string): void {
  if (value.startsWith('-')) throw new CannotRunError('DEVICE_REPORTED', `The ${what} ${value} starts with a dash, as flags do.`);
}
