import type { Enclosure } from './enclosure.ts';
import { GroupProcess, type ProcessOptions } from './process.ts';
import type { InnerCommand } from './running.ts';

/** How to start a command inside a step. */
interface InnerProgram extends Pick<ProcessOptions, 'file' | 'args' | 'cwd' | 'env'> {
  readonly enclosure?: Enclosure | undefined;
}

/** The variable with the unique name of such a command. It marks the processes that it starts. */
export const innerVariable = 'TRAINYARD_EXEC';

/** The other commands that run inside a step. */
export class InnerCommands {
  readonly #attempt: string;
  readonly #running = new Set<GroupProcess>();
  #count = 0;
  #hasEnded = false;

  /** `attempt`: its name, which is unique on this device. */
  constructor(attempt: string) {
    this.#attempt = attempt;
  }

  /** Rejects with SpawnError. `build` is given the name of the command. */
  async start(build: (name: string) => InnerProgram, onOutput: ProcessOptions['onOutput']): Promise<InnerCommand> {
    this.#count += 1;
    const name = `${this.#attempt}-exec-${this.#count}`;
    const { enclosure: wanted, ...program } = build(name);
    // Without the enclosure, the mark still finds its processes.
    const enclosure = await wanted?.open().then(
      () => wanted,
      () => undefined,
    );
    const child = await GroupProcess.start({ ...program, enclosure, mark: `${innerVariable}=${name}`, onOutput, takesInput: true });
    this.#running.add(child);
    if (this.#hasEnded) child.kill();
    const exited = child.exited.then(async (exit) => {
      this.#running.delete(child);
      await enclosure?.close();
      return exit;
    });
    // A command may end before it has read everything.
    child.stdin?.on('error', () => {});
    return { stdin: child.stdin, exited, hold: (isHeld) => child.hold(isHeld), stop: (seconds) => child.stop(seconds) };
  }

  /** The step has ended: ends them all. Resolves when they have ended. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    for (const child of this.#running) child.kill();
    await Promise.all([...this.#running].map(({ exited }) => exited));
  }
}
