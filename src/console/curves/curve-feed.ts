/**
 * The curves of the charts that are in view. They are read together, at one position of the stream,
 * and one subscription goes on from there: no point is missing and none comes twice.
 */
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { SeriesFieldsFragment } from '../generated.ts';
import { createPace } from '../streams/pace.ts';
import { addPoint, type Curve, type CurvePoint, type CurveWindow, readCurve } from './curve.ts';

export interface ReportedPoint extends CurvePoint {
  readonly jobId: string;
  readonly name: string;
}

/** Where a feed gets its curves from. */
export interface CurveSource {
  /** The most points of a curve. It is read again when the stream has doubled them. */
  readonly maxPoints: number;
  /** Whether points may still come. */
  isLive(): boolean;
  /** All series of these metrics. */
  read(names: readonly string[], window: CurveWindow, signal: AbortSignal): Promise<readonly SeriesFieldsFragment[]>;
  follow(names: readonly string[], after: string | null, signal: AbortSignal): AsyncIterable<readonly ReportedPoint[]>;
}

/** Charts that come into view together are read together. */
const GATHER_MS = 30;
/** The most metrics of one request. */
const NAMES_AT_ONCE = 100;

export class CurveFeed {
  readonly error = signal<Error | undefined>(undefined);
  readonly #source: CurveSource;
  /** What is shown: copies, so that nothing of it changes between two redraws. */
  readonly #curves = new Map<string, Signal<readonly Curve[] | undefined>>();
  /** The curves by metric as they are read, with the points that came since. */
  readonly #growing = new Map<string, readonly Curve[]>();
  readonly #inView = new Map<string, number>();
  /** The metrics whose curves are of the present window and, while points come, are followed. */
  #current = new Set<string>();
  #window: CurveWindow;
  #gathering: ReturnType<typeof setTimeout> | undefined;
  #reading: AbortController | undefined;
  #following: AbortController | undefined;
  readonly #changed = new Set<string>();
  readonly #pace = createPace(() => this.#publish());

  constructor(source: CurveSource, window: CurveWindow) {
    this.#source = source;
    this.#window = window;
  }

  /** The curves of a metric: one a job. Undefined until they are read. */
  curvesOf(name: string): ReadonlySignal<readonly Curve[] | undefined> {
    return this.#signalOf(name);
  }

  /** A chart of this metric is in view, until what this returns is called. */
  show(name: string): () => void {
    this.#inView.set(name, (this.#inView.get(name) ?? 0) + 1);
    if (!this.#current.has(name)) this.#gather();
    return () => {
      const left = (this.#inView.get(name) ?? 1) - 1;
      if (left > 0) this.#inView.set(name, left);
      else this.#inView.delete(name);
    };
  }

  /** Reads the curves of another part of the axis. The old ones are shown until then. */
  setWindow(window: CurveWindow): void {
    const { axis, from, to } = this.#window;
    if (window.axis === axis && window.from === from && window.to === to) return;
    if (window.axis !== axis) for (const curves of this.#curves.values()) curves.value = undefined;
    this.#window = window;
    this.refresh();
  }

  refresh(): void {
    this.error.value = undefined;
    this.#current = new Set();
    void this.#read();
  }

  stop(): void {
    clearTimeout(this.#gathering);
    this.#reading?.abort();
    this.#following?.abort();
    this.#pace.stop();
  }

  #signalOf(name: string): Signal<readonly Curve[] | undefined> {
    const known = this.#curves.get(name);
    if (known) return known;
    const curves = signal<readonly Curve[] | undefined>(undefined);
    this.#curves.set(name, curves);
    return curves;
  }

  #gather(): void {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      void this.#read();
    }, GATHER_MS);
  }

  async #read(): Promise<void> {
    const isLive = this.#source.isLive();
    const inView = [...this.#inView.keys()];
    if (inView.every((name) => this.#current.has(name))) return;
    // One position for all: those that are followed already are read again with the new ones.
    const names = (isLive ? inView : inView.filter((name) => !this.#current.has(name))).slice(0, NAMES_AT_ONCE);
    this.#reading?.abort();
    const reading = new AbortController();
    this.#reading = reading;
    const window = this.#window;
    try {
      const series = await this.#source.read(names, window, reading.signal);
      if (reading.signal.aborted) return;
      this.error.value = undefined;
      this.#current = new Set(isLive ? names : [...this.#current, ...names]);
      const byName = Map.groupBy(series, ({ name }) => name);
      for (const name of names) {
        this.#growing.set(
          name,
          (byName.get(name) ?? []).map((one) => readCurve(one, window.axis)),
        );
        this.#redraw(name);
      }
      this.#following?.abort();
      if (isLive) void this.#follow(names, series[0]?.cursor ?? null, window);
    } catch (error) {
      if (!reading.signal.aborted && error instanceof Error) this.error.value = error;
    }
  }

  async #follow(names: readonly string[], after: string | null, window: CurveWindow): Promise<void> {
    const following = new AbortController();
    this.#following = following;
    try {
      for await (const points of this.#source.follow(names, after, following.signal)) {
        if (following.signal.aborted) return;
        for (const point of points) {
          const curve = this.#growing.get(point.name)?.find(({ jobId }) => jobId === point.jobId);
          if (!curve) continue;
          addPoint(curve, point, window);
          this.#changed.add(point.name);
        }
        if (points.length > 0) this.#pace.ask();
      }
    } catch (error) {
      if (!following.signal.aborted && error instanceof Error) this.error.value = error;
    }
  }

  #redraw(name: string): void {
    this.#signalOf(name).value = this.#growing.get(name)?.map((curve) => ({ ...curve, x: [...curve.x], y: [...curve.y] }));
  }

  #publish(): void {
    const isLong = [...this.#changed].some((name) => this.#growing.get(name)?.some(({ x }) => x.length > 2 * this.#source.maxPoints));
    for (const name of this.#changed) this.#redraw(name);
    this.#changed.clear();
    if (isLong) this.refresh();
  }
}
