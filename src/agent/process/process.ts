import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Enclosure } from './enclosure.ts';
import { Family } from './family.ts';
import type { ProcessRow } from './processes.ts';

/**
 * How a process ended: with an exit code, or by a signal. Then the code is 128 plus its number, as
 * in a shell.
 */
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
  /** Whether something will write to its stdin. Default: it reads nothing. */
  readonly takesInput?: boolean;
  /**
   * A variable of `env`, as `NAME=value`, that no other program on this machine is given. It
   * identifies this program's processes.
   */
  readonly mark?: string | undefined;
  readonly enclosure?: Enclosure | undefined;
  /** Receives a line about processes that could not be ended. */
  readonly note?: ((line: string) => void) | undefined;
}

/** The program could not be started: it does not exist, may not be run, or its folder is gone. */
export class SpawnError extends Error {
  override readonly name = 'SpawnError';
}

/**
 * The pipes close when all processes have ended. If some could not be ended or found, the pipes are
 * closed after this long.
 */
const strayOutputMilliseconds = 1_000;

/**
 * A killed process is gone at once. One that is not hangs in the kernel, and is awaited no longer
 * than this.
 */
const killedMilliseconds = 5_000;

/** How often to check, during the grace, whether all have ended. */
const lookMilliseconds = 50;

/**
 * One program and everything that it starts. It is over when all of that is over (P17).
 *
 * When the program ends by itself, the rest is killed, as in a container whose first process ends.
 * When it is told to stop, all processes get the grace: a shell dies of SIGTERM at once, but the
 * script that it runs may have something to save.
 */
export class GroupProcess {
  /** The pid of the program, or of its keeper. It leads its own session and process group. */
  readonly pid: number;
  /**
   * Resolves when everything has ended, or cannot be ended, and all output was passed on. Never
   * rejects.
   */
  readonly exited: Promise<ProcessExit>;
  readonly #child: ChildProcess;
  readonly #options: ProcessOptions;
  readonly #family: Family;
  readonly #ended = Promise.withResolvers<ProcessExit>();
  readonly #killed = new AbortController();
  #isStopping = false;
  #isOver = false;

  private constructor(child: ChildProcess, pid: number, options: ProcessOptions) {
    this.#child = child;
    this.pid = pid;
    this.#options = options;
    this.#family = new Family({ root: pid, mark: options.mark, enclosure: options.enclosure });
    child.stdout?.on('data', (bytes: Buffer) => options.onOutput('STDOUT', bytes));
    child.stderr?.on('data', (bytes: Buffer) => options.onOutput('STDERR', bytes));
    this.exited = this.#follow();
  }

  /** Starts the program. Rejects with SpawnError. */
  static async start(options: ProcessOptions): Promise<GroupProcess> {
    const { file, args } = options.enclosure?.enclose(options) ?? options;
    const told = (options.enclosure?.keepers ?? 0) > 0 ? (['pipe'] as const) : [];
    let child: ChildProcess;
    try {
      child = spawn(file, args, {
        cwd: options.cwd,
        env: options.env,
        // A new session and process group, whose id is the child's pid.
        detached: true,
        stdio: [options.takesInput ? 'pipe' : 'ignore', 'pipe', 'pipe', ...told],
      });
    } catch (error) {
      // An argument or variable that exec refuses: it contains NUL, or all of them are too long.
      throw new SpawnError(`${file} could not be started: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
    const { pid } = child;
    if (pid === undefined) {
      const { promise, resolve } = Promise.withResolvers<Error>();
      child.once('error', resolve);
      const error = await promise;
      throw new SpawnError(`${file} could not be started: ${error.message}`, { cause: error });
    }
    return new GroupProcess(child, pid, options);
  }

  /** Its stdin, if it takes input. */
  get stdin(): Writable | null {
    return this.#child.stdin;
  }

  /** Its running processes. */
  list(): Promise<ProcessRow[]> {
    return this.#family.list();
  }

  /**
   * Sends SIGTERM to all processes, and SIGKILL to the rest after the grace. Resolves when all have
   * ended.
   */
  async stop(graceSeconds: number): Promise<ProcessExit> {
    this.#isStopping = true;
    const grace = setTimeout(() => this.kill(), graceSeconds * 1000);
    void this.#family.terminate().catch(() => {});
    const exit = await this.exited;
    clearTimeout(grace);
    return exit;
  }

  /**
   * Pauses or resumes reading its output. While paused, writers block as on any full pipe. After
   * its end the output is always read to the end.
   */
  hold(isHeld: boolean): void {
    const { stdout, stderr } = this.#child;
    for (const pipe of [stdout, stderr]) {
      if (isHeld && !this.#isOver) pipe?.pause();
      else pipe?.resume();
    }
  }

  /** Sends SIGKILL to all processes. */
  kill(): void {
    if (this.#killed.signal.aborted || this.#isOver) return;
    this.#killed.abort();
    const exit: ProcessExit = { exitCode: 128 + constants.signals.SIGKILL, signal: 'SIGKILL' };
    void this.#end();
    setTimeout(() => this.#ended.resolve(exit), killedMilliseconds).unref();
  }

  async #follow(): Promise<ProcessExit> {
    const child = this.#child;
    const closed = Promise.withResolvers<void>();
    child.once('close', () => closed.resolve());
    // A signal that could not be sent: its sender sees that.
    child.on('error', () => {});
    this.#listen();
    const exit = await this.#ended.promise;
    if (this.#isStopping) await this.#grant();
    const left = await this.#end();
    if (left > 0) this.#options.note?.(`${left} of the step's processes hang in the kernel and could not be killed.`);
    this.#isOver = true;
    if (this.#options.enclosure?.keepers) child.kill('SIGKILL');
    this.hold(false);
    await Promise.race([closed.promise, delay(strayOutputMilliseconds, undefined, { ref: false })]);
    for (const pipe of child.stdio) pipe?.destroy();
    return exit;
  }

  /**
   * Learns how the program ended, from its keeper if it has one. A killed keeper reports nothing,
   * so its own end has to do.
   */
  #listen(): void {
    const end = (exitCode: number | null, signal: NodeJS.Signals | null) =>
      this.#ended.resolve({ exitCode: exitCode ?? 128 + (signal === null ? 0 : constants.signals[signal]), signal });
    this.#child.once('exit', end);
    // Node's type does not say that a pipe beyond the usual three can be read.
    const told = this.#child.stdio[3] as Readable | undefined;
    let text = '';
    told?.on('error', () => {});
    told?.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      const match = /^([ES]) (\d+)\n/.exec(text);
      if (match === null) return;
      const number = Number(match[2]);
      if (match[1] === 'E') end(number, null);
      else end(null, nameOfSignal(number));
    });
  }

  /** Waits until all have ended, or `kill` is called. */
  async #grant(): Promise<void> {
    const { signal } = this.#killed;
    while (!signal.aborted && (await this.#family.list()).length > 0) await delay(lookMilliseconds, undefined, { signal }).catch(() => {});
  }

  /** Resolves with how many could not be ended. */
  async #end(): Promise<number> {
    const timer = new AbortController();
    const ended = this.#family.end().catch(() => 1);
    const given = delay(killedMilliseconds, 1, { signal: timer.signal, ref: false }).catch(() => 1);
    const left = await Promise.race([ended, given]);
    timer.abort();
    return left;
  }
}

function nameOfSignal(number: number): NodeJS.Signals {
  // Names and numbers of this system.
  const names = Object.entries(constants.signals) as [NodeJS.Signals, number][];
  return names.find(([, each]) => each === number)?.[0] ?? 'SIGKILL';
}
