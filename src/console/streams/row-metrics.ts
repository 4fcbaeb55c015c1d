/**
 * The newest metrics, and a small curve, of the jobs that are in view. What runs is followed by
 * one subscription.
 */
import { batch, type Signal, signal } from '@preact/signals';
import { LiveMetricsOfRowsDocument, MetricsOfRowsDocument, SparksOfRowsDocument } from '../generated.ts';
import { gateway } from './gateway.ts';

export interface RowInView {
  readonly id: string;
  readonly isOver: boolean;
}

export interface RowMetrics {
  readonly values: ReadonlyMap<string, number>;
  /** The curve of the first of the shown metrics that the job has. */
  readonly curve: readonly number[];
}

/** Jobs that one subscription follows. */
const MOST_ROWS = 50;
/** Metrics with a curve, over all rows. */
const MOST_CURVES = 3;
const MOST_POINTS = 120;
const nothing: RowMetrics = { values: new Map(), curve: [] };

export class MetricsInView {
  /** Names of metrics to show. A function chooses among those that a job has. */
  readonly #shown: readonly string[] | ((names: readonly string[]) => readonly string[]);
  readonly #rows = new Map<string, Signal<RowMetrics>>();
  /** Read after the job had ended: nothing changes. */
  readonly #final = new Set<string>();
  #stop = new AbortController();
  #inView = '';

  constructor(shown: readonly string[] | ((names: readonly string[]) => readonly string[])) {
    this.#shown = shown;
  }

  /** As they are now. A component that reads them is drawn with each change. */
  get(id: string): RowMetrics {
    return this.#rowOf(id).value;
  }

  end(): void {
    this.#stop.abort();
    this.#inView = '';
  }

  /** These rows are in view now. */
  show(rows: readonly RowInView[]): void {
    const wanted = rows.filter(({ id, isOver }) => !(isOver && this.#final.has(id))).slice(0, MOST_ROWS);
    const key = JSON.stringify(wanted);
    if (key === this.#inView) return;
    this.end();
    this.#inView = key;
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    if (wanted.length === 0) return;
    this.#read(wanted, signal).catch(() => {
      // Rows without metrics say enough. They are read again when the view changes.
      if (!signal.aborted) this.#inView = '';
    });
  }

  async #read(rows: readonly RowInView[], signal: AbortSignal): Promise<void> {
    const ids = rows.map(({ id }) => id);
    const names = await this.#namesOf(ids, signal);
    if (names.length === 0) return;
    // The curves first: what is reported after their cursor is in the stream, whenever the newest
    // values are read.
    const curves = await Promise.all(
      names.slice(0, MOST_CURVES).map((name) => gateway.request(SparksOfRowsDocument, { ids, name }, { signal })),
    );
    const newest = await gateway.request(MetricsOfRowsDocument, { ids, names }, { signal });
    batch(() => {
      for (const node of newest.nodes) {
        if (!node || !('metrics' in node)) continue;
        const values = new Map(node.metrics.map(({ name, value }) => [name, value]));
        const curve = curves.flatMap(({ compareMetric }) =>
          compareMetric.filter(({ job, points }) => job.id === node.id && points.length > 0),
        )[0];
        this.#rowOf(node.id).value = { values, curve: curve?.points.map(({ value }) => value) ?? [] };
      }
    });
    for (const { id, isOver } of rows) if (isOver) this.#final.add(id);
    const running = rows.filter(({ isOver }) => !isOver).map(({ id }) => id);
    if (running.length > 0) await this.#follow(running, names, curves[0]?.compareMetric[0]?.cursor ?? null, signal);
  }

  async #namesOf(ids: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
    const shown = this.#shown;
    if (typeof shown !== 'function') return shown;
    const { nodes } = await gateway.request(MetricsOfRowsDocument, { ids }, { signal });
    return [...new Set(nodes.flatMap((node) => (node && 'metrics' in node ? shown(node.metrics.map(({ name }) => name)) : [])))];
  }

  async #follow(ids: readonly string[], names: readonly string[], after: string | null, signal: AbortSignal): Promise<void> {
    for await (const { points } of gateway.subscribe(LiveMetricsOfRowsDocument, { ids, names, after }, { signal })) {
      batch(() => {
        for (const { job, point } of points) this.#append(job.id, point, names);
      });
    }
  }

  #append(id: string, { name, value }: { readonly name: string; readonly value: number }, names: readonly string[]): void {
    const row = this.#rowOf(id);
    const { values, curve } = row.peek();
    const drawn = names.find((other) => other === name || values.has(other));
    row.value = { values: new Map(values).set(name, value), curve: name === drawn ? thin([...curve, value]) : curve };
  }

  #rowOf(id: string): Signal<RowMetrics> {
    const known = this.#rows.get(id);
    if (known) return known;
    const added = signal(nothing);
    this.#rows.set(id, added);
    return added;
  }
}

/** Half of the points, when there are too many for a small curve. The last one stays. */
function thin(values: readonly number[]): readonly number[] {
  if (values.length <= MOST_POINTS) return values;
  return values.filter((_, index) => index % 2 === 0 || index === values.length - 1);
}
