import type { RunningStep } from '../process/running.ts';

/** A running step that the gateway can reach through the tunnel. */
export class OpenStep {
  readonly running: RunningStep;
  readonly #uses = new Set<() => void>();
  #isClosed = false;

  constructor(running: RunningStep) {
    this.running = running;
  }

  /** Calls `end` when the step ends. Returns a function that forgets it. */
  use(end: () => void): () => void {
    if (this.#isClosed) end();
    else this.#uses.add(end);
    return () => this.#uses.delete(end);
  }

  close(): void {
    this.#isClosed = true;
    for (const end of this.#uses) end();
    this.#uses.clear();
  }
}

/** The running steps of an agent, by the names of their attempts. */
export class OpenSteps {
  readonly #byName = new Map<string, OpenStep>();

  /** Returns a function that ends whatever uses the step. */
  add(name: string, running: RunningStep): () => void {
    const step = new OpenStep(running);
    this.#byName.set(name, step);
    return () => {
      this.#byName.delete(name);
      step.close();
    };
  }

  find(name: string): OpenStep | undefined {
    return this.#byName.get(name);
  }
}
