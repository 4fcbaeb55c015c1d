import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** How a process ended: with an exit code, or by a signal, for which the code is 128 + its number as in a shell. */
export interface ProcessExit {
  readonly exitCode: number;
  readonly signal: NodeJS.Signals | null;
}

export interface ProcessOptions {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly onOutput: (stream: 'STDOUT' | 'STDERR', bytes: Buffer) => void;
}

/** The program could not be started at all: it is not there, may not be run, or its folder is gone. */
export class SpawnError extends Error {
  override readonly name = 'SpawnError';
}

/**
 * What of a process group is still writing after its leader has ended is given this long to let go of the pipes. Only a process that has
 * made a group of its own (a daemon) can get here, and it must not keep the step from ending.
 */
const strayOutputMilliseconds = 1_000;

/**
 * One program in a process group of its own, so that it can be stopped together with all that it starts.
 *
 * When the program ends, what is left of its group is killed, as in a container whose first process ends: a step is over when its command is.
 */
export class GroupProcess {
  readonly pid: number;
  /** Resolves when the program has ended and all of its output has been handed on. Never rejects. */
  readonly exited: Promise<ProcessExit>;
  readonly #child: ChildProcess;
  #hasExited = false;

  private constructor(child: ChildProcess, pid: number, onOutput: ProcessOptions['onOutput']) {
    this.#child = child;
    this.pid = pid;
    child.stdout?.on('data', (bytes: Buffer) => onOutput('STDOUT', bytes));
    child.stderr?.on('data', (bytes: Buffer) => onOutput('STDERR', bytes));
    this.exited = this.#follow();
  }

  /** Starts the program. Rejects with SpawnError. */
  static async start(options: ProcessOptions): Promise<GroupProcess> {
    let child: ChildProcess;
    try {
      child = spawn(options.file, options.args, {
        cwd: options.cwd,
        env: options.env,
        // A new session and so a new process group, whose id is the child's pid.
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    } catch (error) {
      // An argument or a variable that no program can be given: a NUL in it, or all of them too long.
      throw new SpawnError(`${options.file} could not be started: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
    const { pid } = child;
    if (pid === undefined) {
      const { promise, resolve } = Promise.withResolvers<Error>();
      child.once('error', resolve);
      const error = await promise;
      throw new SpawnError(`${options.file} could not be started: ${error.message}`, { cause: error });
    }
    return new GroupProcess(child, pid, options.onOutput);
  }

  /** SIGTERM to the whole group, and SIGKILL to what is left of it after the grace. Resolves when it has ended. */
  async stop(graceSeconds: number): Promise<ProcessExit> {
    this.#signal('SIGTERM');
    const patience = new AbortController();
    const grace = delay(graceSeconds * 1000, undefined, { signal: patience.signal, ref: false }).then(
      () => this.kill(),
      () => {},
    );
    const exit = await this.exited;
    patience.abort();
    await grace;
    return exit;
  }

  /** Stops or goes on reading its output. Meanwhile who writes to it waits, as at any full pipe. What has ended is always read to its end. */
  hold(isHeld: boolean): void {
    const { stdout, stderr } = this.#child;
    for (const pipe of [stdout, stderr]) {
      if (isHeld && !this.#hasExited) pipe?.pause();
      else pipe?.resume();
    }
  }

  /** SIGKILL to the whole group, now. */
  kill(): void {
    this.#signal('SIGKILL');
  }

  async #follow(): Promise<ProcessExit> {
    const child = this.#child;
    const ended = Promise.withResolvers<ProcessExit>();
    const closed = Promise.withResolvers<void>();
    child.once('exit', (code, signal) =>
      ended.resolve({ exitCode: code ?? 128 + (signal === null ? 0 : constants.signals[signal]), signal }),
    );
    child.once('close', () => closed.resolve());
    // A signal that could not be sent; that is seen where it is sent.
    child.on('error', () => {});
    const exit = await ended.promise;
    this.kill();
    this.#hasExited = true;
    this.hold(false);
    await Promise.race([closed.promise, delay(strayOutputMilliseconds, undefined, { ref: false })]);
    child.stdout?.destroy();
    child.stderr?.destroy();
    return exit;
  }

  #signal(signal: NodeJS.Signals): void {
    // Once the leader was waited for, its number may belong to someone else.
    if (this.#hasExited) return;
    try {
      process.kill(-this.pid, signal);
    } catch {
      // Nothing is left of the group.
    }
  }
}
