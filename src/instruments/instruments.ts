/**
 * Counters, histograms and gauges of the gateway itself. (A metric is what a training reports.)
 *
 * Code that counts does not know its readers. Counting adds to a number in memory, which a hot path
 * can afford. Names, labels and the text format are produced when the metrics are read.
 * Names follow Prometheus: `trainyard_…_total`, `…_seconds`, `…_bytes`.
 */
export type Labels = Readonly<Record<string, string>>;

export interface Reading {
  readonly labels: Labels;
  readonly value: number | Distribution;
}

export interface About {
  readonly name: string;
  /** Its meaning, in a sentence without a full stop. */
  readonly help: string;
}

export interface Instrument extends About {
  readonly type: 'counter' | 'gauge' | 'histogram';
  read(): readonly Reading[] | Promise<readonly Reading[]>;
}

/** A counter. */
export class Count {
  value = 0;
  add(by = 1): void {
    this.value += by;
  }
}

/**
 * How many values were at most each of the bounds. The last entry counts values above all bounds.
 */
export class Distribution {
  readonly bounds: readonly number[];
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  note(value: number, times = 1): void {
    let place = 0;
    while (place < this.bounds.length && value > (this.bounds[place] ?? 0)) place++;
    this.counts[place] = (this.counts[place] ?? 0) + times;
    this.sum += value * times;
  }
}

/** Bounds in seconds for a request, a write or a frame. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
/** Bounds in seconds for waits for machines or people. */
export const LONG_SECONDS = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400];

/**
 * Cells by their labels. Frequent callers look up their cell once. Label values come from a fixed
 * set, never from a client.
 */
class Family<L extends string, C extends Count | Distribution> {
  readonly #make: () => C;
  readonly #cells = new Map<string, { readonly labels: Readonly<Record<L, string>>; readonly cell: C }>();

  constructor(make: () => C) {
    this.#make = make;
  }

  of(labels: Readonly<Record<L, string>>): C {
    const key = Object.values(labels).join('\n');
    let found = this.#cells.get(key);
    if (!found) {
      found = { labels, cell: this.#make() };
      this.#cells.set(key, found);
    }
    return found.cell;
  }

  *cells(): Iterable<{ readonly labels: Labels; readonly cell: C }> {
    yield* this.#cells.values();
  }
}

export class Counter extends Count implements Instrument {
  readonly type = 'counter';
  readonly name: string;
  readonly help: string;
  constructor({ name, help }: About) {
    super();
    this.name = name;
    this.help = help;
  }
  read(): readonly Reading[] {
    return [{ labels: {}, value: this.value }];
  }
}

abstract class CountsByLabels<L extends string> extends Family<L, Count> implements Instrument {
  abstract readonly type: 'counter' | 'gauge';
  readonly name: string;
  readonly help: string;
  constructor({ name, help }: About) {
    super(() => new Count());
    this.name = name;
    this.help = help;
  }
  read(): readonly Reading[] {
    return [...this.cells()].map(({ labels, cell }) => ({ labels, value: cell.value }));
  }
}

export class Counters<L extends string> extends CountsByLabels<L> {
  readonly type = 'counter';
}

export class Histogram extends Distribution implements Instrument {
  readonly type = 'histogram';
  readonly name: string;
  readonly help: string;
  constructor({ name, help, bounds = SECONDS }: About & { readonly bounds?: readonly number[] }) {
    super(bounds);
    this.name = name;
    this.help = help;
  }
  read(): readonly Reading[] {
    return [{ labels: {}, value: this }];
  }
}

export class Histograms<L extends string> extends Family<L, Distribution> implements Instrument {
  readonly type = 'histogram';
  readonly name: string;
  readonly help: string;
  constructor({ name, help, bounds = SECONDS }: About & { readonly bounds?: readonly number[] }) {
    super(() => new Distribution(bounds));
    this.name = name;
    this.help = help;
  }
  read(): readonly Reading[] {
    return [...this.cells()].map(({ labels, cell }) => ({ labels, value: cell }));
  }
}

/** A present value, looked up when the metrics are read. */
export class Gauge implements Instrument {
  readonly type = 'gauge';
  readonly name: string;
  readonly help: string;
  readonly #look: () => number | readonly Reading[] | Promise<number | readonly Reading[]>;
  constructor({ name, help }: About, look: () => number | readonly Reading[] | Promise<number | readonly Reading[]>) {
    this.name = name;
    this.help = help;
    this.#look = look;
  }
  async read(): Promise<readonly Reading[]> {
    const found = await this.#look();
    return typeof found === 'number' ? [{ labels: {}, value: found }] : found;
  }
}

/** How many of something there are now. */
export class Level extends Gauge {
  value = 0;
  constructor(about: About) {
    super(about, () => this.value);
  }
}

/** Levels by labels. */
export class Levels<L extends string> extends CountsByLabels<L> {
  readonly type = 'gauge';
}
