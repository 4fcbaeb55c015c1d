import { hostname } from 'node:os';
import type { ClaimedStepFieldsFragment, ContainerFieldsFragment, LeaseFieldsFragment } from '../../client/generated.ts';
import { attemptName } from '../../tunnel/protocol.ts';
import { CommandSyntaxError, shellArguments } from '../container/command.ts';
import { startContainer } from '../container/container.ts';
import { markOf, placeFiles, type StepFolder } from '../files/folder.ts';
import { gpuEnvironment } from '../machine/gpu-pool.ts';
import { ProcessMeter } from '../machine/telemetry.ts';
import type { Containment } from '../process/containment.ts';
import type { Enclosure } from '../process/enclosure.ts';
import { describeStep, findPythonPackage, passEnvironment } from '../process/environment.ts';
import { InnerCommands, innerVariable } from '../process/inner-commands.ts';
import { findListener, showsListeners } from '../process/listening.ts';
import { MemoryKills } from '../process/memory-kills.ts';
import { GroupProcess, type ProcessExit, type ProcessOptions, SpawnError } from '../process/process.ts';
import { CannotRunError, type RunningStep, type StepExit, type StepFailure } from '../process/running.ts';

export interface StartOptions {
  readonly step: ClaimedStepFieldsFragment;
  readonly lease: LeaseFieldsFragment;
  readonly folder: StepFolder;
  /** The gateway's address, for the step. */
  readonly url: string;
  /**
   * The UUIDs of the step's GPUs. Null where this device knows of none; the step then uses what it
   * finds.
   */
  readonly gpus: readonly string[] | null;
  readonly containment: Containment;
  readonly onOutput: ProcessOptions['onOutput'];
  /** A line for the step's log. */
  readonly note: (line: string) => void;
  /** Called with what is done before the command runs, as a sentence for users. */
  readonly onPreparing: (what: string) => void;
  /** Aborts the preparation: the pull or the build of an image. */
  readonly signal: AbortSignal;
}

/**
 * Starts a step: in a container if it has an image or a build, else as a process. Rejects with
 * CannotRunError if this device cannot run it.
 */
export async function startStep(options: StartOptions): Promise<RunningStep> {
  const { container } = options.step;
  try {
    return container?.image || container?.build ? await startContainer(options) : await startProcess(options);
  } catch (error) {
    if (error instanceof SpawnError || error instanceof CommandSyntaxError) throw new CannotRunError('DEVICE_REPORTED', error.message);
    throw error;
  }
}

/**
 * Runs the step's command with `/bin/sh -c`, in its work folder, with the environment it may see.
 */
async function startProcess(options: StartOptions): Promise<RunningStep> {
  const { step, folder, gpus, onOutput, note } = options;
  const { container } = step;
  const args = container ? shellArguments(container) : null;
  if (container === null || args === null) {
    throw new CannotRunError('DEVICE_REPORTED', 'The step has neither a command nor an image, so there is nothing to run.');
  }
  if (container.volumes.length > 0) note('Volumes are mounted in containers only. A step without an image sees the device’s files.');
  const enclosure = await openEnclosure(options);
  const memory = new MemoryKills(enclosure);
  await memory.look();
  let errors = '';
  const child = await GroupProcess.start({
    file: '/bin/sh',
    args,
    cwd: folder.work,
    env: environmentOf(options),
    // An isolated step is found by its namespace: the path of its folder, as it sees it, is the
    // same for every step.
    mark: options.containment.visibleWork === undefined ? markOf(folder) : undefined,
    enclosure,
    note,
    onOutput(stream, bytes) {
      if (stream === 'STDERR') errors = (errors + bytes.toString('utf8')).slice(-mostErrorCharacters);
      onOutput(stream, bytes);
    },
  });
  const meter = new ProcessMeter(() => child.list(), (gpus?.length ?? 0) > 0);
  const explain = async (exit: ProcessExit): Promise<StepExit> => {
    const outOfMemory = await memory.explain(exit);
    await enclosure?.close();
    if (outOfMemory !== null) return { ...exit, failure: { reason: 'OUT_OF_MEMORY', description: outOfMemory } };
    return { ...exit, failure: explainExit(exit, lastLine(errors)) };
  };
  const inner = new InnerCommands(attemptName(step.id, options.lease.attempt));
  const exited = child.exited.then(async (exit) => {
    await inner.end();
    return explain(exit);
  });
  return {
    pid: child.pid,
    container: null,
    hasStarted: async () => true,
    meter: {
      async sample() {
        await memory.look();
        return meter.sample();
      },
    },
    exited,
    findHttpUrl: async () => httpUrlOf(container.http),
    async findPort(port) {
      if (!showsListeners) return port === container.http?.port ? { host: '127.0.0.1', port } : null;
      return findListener(
        (await child.list()).map(({ pid }) => pid),
        port,
      );
    },
    exec([file = '', ...args], onOutput) {
      const build = (name: string) => ({
        file,
        args,
        cwd: folder.work,
        env: { ...environmentOf(options), [innerVariable]: name },
        enclosure: enclosure?.within(name, child.pid),
      });
      return inner.start(build, onOutput);
    },
    hold: (isHeld) => child.hold(isHeld),
    async stop(graceSeconds) {
      await child.stop(graceSeconds);
      return exited;
    },
    kill: () => child.kill(),
  };
}

/**
 * A process chooses its own address. One that requires authentication is expected on the loopback.
 */
const httpUrlOf = (http: ContainerFieldsFragment['http']) =>
  http === null ? null : `http://${http.requiresAuth ? '127.0.0.1' : hostname()}:${http.port}`;

function environmentOf({ step, lease, url, folder, containment, gpus }: StartOptions): Record<string, string> {
  const { visibleWork: work } = containment;
  if (work === undefined)
    return findPythonPackage({ ...passEnvironment(process.env), ...describeStep(step, lease, url, folder.paths), ...gpuEnvironment(gpus) });
  const own = { HOME: work, TMPDIR: '/tmp', TEMP: '/tmp', TMP: '/tmp' };
  const { USER: _, LOGNAME: __, ...passed } = passEnvironment(process.env);
  return findPythonPackage({ ...passed, ...own, ...describeStep(step, lease, url, placeFiles(work)), ...gpuEnvironment(gpus) });
}

async function openEnclosure({ containment, folder, note }: StartOptions): Promise<Enclosure | undefined> {
  const enclosure = containment.enclosureOf(folder.root);
  try {
    await enclosure?.open();
    return enclosure;
  } catch (error) {
    note(`This device could not enclose the step's processes: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** Kept from the end of stderr: enough for the last line. */
const mostErrorCharacters = 4_096;

/**
 * A shell ends with 127 if a command does not exist and with 126 if it cannot be run: that is the
 * device's failure. Programs use these codes as well, so only a last line that looks like a shell's
 * counts.
 */
export function explainExit({ exitCode, signal }: ProcessExit, lastError: string): StepFailure | null {
  if (signal !== null) return { reason: 'EXIT_CODE', description: `The command was killed by ${signal}.` };
  if (exitCode === 127 && /^\S*sh: .*(not found|No such file or directory)$/.test(lastError))
    return { reason: 'DEVICE_REPORTED', description: `This device has no such command: ${lastError}` };
  if (exitCode === 126 && /^\S*sh: .*(Permission denied|cannot execute.*|Is a directory|Exec format error)$/i.test(lastError))
    return { reason: 'DEVICE_REPORTED', description: `The command cannot be run on this device: ${lastError}` };
  return null;
}

/** The last line, or nothing if it was cut: a cut secret would not be masked. */
function lastLine(text: string): string {
  const lines = text.trimEnd().split('\n');
  return lines.length === 1 && text.length >= mostErrorCharacters ? '' : (lines.at(-1)?.trim() ?? '');
}
