/**
 * An AbortController that is created when somebody asks for its signal. Few operations do, and it
 * takes as long to create as to read a small row.
 */
export class LazyAbort {
  #controller: AbortController | null = null;
  #isAborted = false;

  readonly signal = (): AbortSignal => {
    this.#controller ??= new AbortController();
    if (this.#isAborted) this.#controller.abort();
    return this.#controller.signal;
  };

  abort(): void {
    this.#isAborted = true;
    this.#controller?.abort();
  }
}
