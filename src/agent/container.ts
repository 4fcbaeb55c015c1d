import { execFile } from 'node:child_process';
import { hostname } from 'node:os';
import { promisify } from 'node:util';
import { wait } from '../client/backoff.ts';
import type { StatusReason } from '../client/generated.ts';
import { buildArguments, containerName, runCommand } from './docker.ts';
import { describeStep, passEnvironment } from './environment.ts';
import { containerWorkFolder, placeFiles } from './folder.ts';
import { GroupProcess, type ProcessExit } from './process.ts';
import { machineMemoryMb } from './resources.ts';
import { CannotRunError, type RunningStep, type StepExit } from './running.ts';
import type { StartOptions } from './start.ts';
import { ContainerMeter } from './telemetry.ts';

const run = promisify(execFile);

/** Of `docker run`: the engine could not make or start the container; the command was never run. */
const engineFailedCode = 125;

/** Whether a Docker engine answers on this machine. */
export async function hasDocker(): Promise<boolean> {
  const answer = await run('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 10_000 }).catch(() => null);
  return answer !== null && answer.stdout.trim() !== '';
}

/**
 * Runs a step in a container: builds or pulls its image where needed, then runs it in the foreground. Rejects with CannotRunError.
 * A container's files and processes outlive the docker program, so `exited` also takes the container away.
 */
export async function startContainer(options: StartOptions): Promise<RunningStep> {
  const { step, lease, folder } = options;
  if (!(await hasDocker())) {
    const wanted = step.container?.image ?? 'an image of its own';
    throw new CannotRunError('DEVICE_REPORTED', `The step needs a container (${wanted}), but no Docker engine answers on this device.`);
  }
  const image = await provideImage(options);
  const name = containerName(step, lease.attempt);
  const usesHostNetwork = /^(localhost|127\..*|\[::1\])$/.test(new URL(options.url).hostname);
  const port = step.container?.http?.port ?? null;
  const command = runCommand(step, lease, {
    image,
    env: describeStep(step, lease, options.url, placeFiles(containerWorkFolder)),
    work: folder.work,
    usesHostNetwork,
    machineMemoryMb: machineMemoryMb(),
  });
  let lastError = '';
  const client = await GroupProcess.start({
    file: 'docker',
    args: command.args,
    cwd: folder.root,
    env: { ...dockerEnvironment(), ...command.environment },
    onOutput: (stream, bytes) => {
      if (stream === 'STDERR') lastError = bytes.toString('utf8').trim().split('\n').at(-1) ?? '';
      options.onOutput(stream, bytes);
    },
  });
  const exited = client.exited.then((exit) => describeExit(name, exit, () => lastError));
  return {
    pid: client.pid,
    container: name,
    meter: new ContainerMeter(name),
    exited,
    async findHttpUrl(over) {
      if (port === null) return null;
      return usesHostNetwork ? `http://${hostname()}:${port}` : findPublishedUrl(name, port, over);
    },
    hold: (isHeld) => client.hold(isHeld),
    async stop(graceSeconds) {
      await run('docker', ['stop', '-t', String(Math.ceil(graceSeconds)), name], { timeout: (graceSeconds + 30) * 1000 }).catch(() =>
        client.kill(),
      );
      return exited;
    },
    kill() {
      void run('docker', ['kill', name], { timeout: 30_000 }).catch(() => {});
      client.kill();
    },
  };
}

/** Asks the engine which port of this host it has chosen, until the container is there. */
async function findPublishedUrl(name: string, port: number, over: AbortSignal): Promise<string | null> {
  while (!over.aborted) {
    const answer = await run('docker', ['port', name, `${port}/tcp`], { timeout: 10_000 }).catch(() => null);
    const published = /^(.+):(\d+)$/m.exec(answer?.stdout ?? '');
    if (published !== null) return `http://${published[1] === '127.0.0.1' ? '127.0.0.1' : hostname()}:${published[2]}`;
    await wait(500, over).catch(() => {});
  }
  return null;
}

/** How it ended, in the words of the history; then the container is removed. */
async function describeExit(name: string, exit: ProcessExit, lastError: () => string): Promise<StepExit> {
  const state = await run('docker', ['inspect', '--format', '{{.State.OOMKilled}}', name], { timeout: 30_000 }).catch(() => null);
  await run('docker', ['rm', '--force', '--volumes', name], { timeout: 60_000 }).catch(() => {});
  if (state?.stdout.trim() === 'true')
    return { ...exit, failure: { reason: 'OUT_OF_MEMORY', description: 'The container needed more memory than it may have.' } };
  if (exit.exitCode === engineFailedCode)
    return { ...exit, failure: { reason: 'DEVICE_REPORTED', description: `Docker could not run the container: ${lastError()}` } };
  return { ...exit, failure: null };
}

async function provideImage({ step, lease, folder, onOutput, note, signal }: StartOptions): Promise<string> {
  const { build, image } = step.container ?? {};
  const prepare = async (args: readonly string[], reason: StatusReason, what: string) => {
    note(`docker ${args.join(' ')}`);
    const client = await GroupProcess.start({ file: 'docker', args, cwd: folder.work, env: dockerEnvironment(), onOutput });
    const giveUp = () => client.kill();
    signal.addEventListener('abort', giveUp, { once: true });
    const { exitCode } = await client.exited;
    signal.removeEventListener('abort', giveUp);
    if (exitCode !== 0) throw new CannotRunError(reason, `${what} (docker ended with ${exitCode}; the log says more).`);
  };
  if (build) {
    const tag = `${containerName(step, lease.attempt).toLowerCase()}:latest`;
    await prepare(buildArguments(build, tag), 'DEVICE_REPORTED', `The image could not be built from ${build.context}`);
    return tag;
  }
  if (!image) throw new CannotRunError('DEVICE_REPORTED', 'The step has neither an image nor a build.');
  const isHere = await run('docker', ['image', 'inspect', '--format', '{{.Id}}', image], { timeout: 30_000 }).then(
    () => true,
    () => false,
  );
  if (!isHere) await prepare(['pull', image], 'IMAGE_PULL_FAILED', `The image ${image} could not be pulled`);
  return image;
}

/** What the docker program needs to find its engine and its logins, and nothing of the agent's keys. */
function dockerEnvironment(): Record<string, string> {
  const own = Object.entries(process.env).filter(([name, value]) => value !== undefined && /^(DOCKER|BUILDKIT)_/.test(name));
  return { ...passEnvironment(process.env), ...(Object.fromEntries(own) as Record<string, string>) }; // undefined was filtered out
}
