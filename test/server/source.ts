/** Makes the event with this number. Null ends the stream. Without it, `emit` gives the events. */
export type MakeEvent = (number: number) => object | null | Promise<object>;

/** The source of the sample schema's subscriptions. It counts open streams and pulled events. */
export class Source {
  readonly #open = new Set<SourceIterator>();
  /** The number of pulled events, by field. */
  readonly pulled = new Map<string, number>();
  #opened: { count: number; resolve: () => void }[] = [];

  get openCount(): number {
    return this.#open.size;
  }

  open(field: string, make?: MakeEvent): AsyncIterableIterator<object> {
    const iterator = new SourceIterator(
      make,
      () => this.pulled.set(field, (this.pulled.get(field) ?? 0) + 1),
      () => {
        this.#open.delete(iterator);
        this.#tell();
      },
    );
    this.#open.add(iterator);
    this.#tell();
    return iterator;
  }

  /** Gives the same event object to every open stream. */
  emit(event: object): void {
    for (const iterator of this.#open) iterator.emit(event);
  }

  /** Resolves when exactly `count` iterators are open. */
  untilOpen(count: number): Promise<void> {
    if (this.#open.size === count) return Promise.resolve();
    return new Promise((resolve) => this.#opened.push({ count, resolve }));
  }

  #tell(): void {
    this.#opened = this.#opened.filter(({ count, resolve }) => {
      if (this.#open.size === count) resolve();
      return this.#open.size !== count;
    });
  }
}

class SourceIterator implements AsyncIterableIterator<object> {
  readonly #make: MakeEvent | undefined;
  readonly #onPull: () => void;
  readonly #onReturn: () => void;
  readonly #queue: object[] = [];
  #number = 0;
  #waiting: ((result: IteratorResult<object>) => void) | undefined;

  constructor(make: MakeEvent | undefined, onPull: () => void, onReturn: () => void) {
    this.#make = make;
    this.#onPull = onPull;
    this.#onReturn = onReturn;
  }

  async next(): Promise<IteratorResult<object>> {
    this.#onPull();
    if (!this.#make) {
      const queued = this.#queue.shift();
      if (queued) return { done: false, value: queued };
      return new Promise((resolve) => {
        this.#waiting = resolve;
      });
    }
    this.#number += 1;
    const event = await this.#make(this.#number);
    if (event) return { done: false, value: event };
    return this.return();
  }

  emit(event: object): void {
    if (this.#make) return;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) waiting({ done: false, value: event });
    else this.#queue.push(event);
  }

  return(): Promise<IteratorResult<object>> {
    this.#onReturn();
    this.#waiting?.({ done: true, value: undefined });
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
