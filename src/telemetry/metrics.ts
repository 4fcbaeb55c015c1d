/** `/metrics`: what the gateway counts, in the text format of Prometheus. */
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import { Distribution, Gauge, type Instrument, type Labels, type Reading } from '../instruments/instruments.ts';

/**
 * All instruments of one gateway, and those of its process: memory, CPU, event loop, garbage
 * collection.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly contentType = this.#registry.contentType;

  constructor(about: Labels, instruments: readonly Instrument[]) {
    collectDefaultMetrics({ register: this.#registry });
    const info = new Gauge({ name: 'trainyard_info', help: 'Always 1; its labels say what runs here' }, () => [
      { labels: about, value: 1 },
    ]);
    for (const instrument of [info, ...instruments]) this.#add(instrument);
  }

  /** Names and helps, for the page that documents them. */
  list(): { readonly name: string; readonly help: string }[] {
    return this.#registry.getMetricsAsArray().map(({ name, help }) => ({ name, help }));
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #add(instrument: Instrument): void {
    const { name, help, type } = instrument;
    const metric = {
      name,
      help,
      get: async () => ({ name, help, type, values: (await instrument.read()).flatMap((reading) => linesOf(name, reading)) }),
    };
    // Cast: the registry asks a metric for its name and for `get`, and its types ask for one of
    // prom-client's own classes.
    this.#registry.registerMetric(metric as unknown as Metric);
  }
}

interface Line {
  readonly metricName: string;
  readonly labels: Labels | { readonly [name: string]: string | number };
  readonly value: number;
}

function linesOf(name: string, { labels, value }: Reading): Line[] {
  if (!(value instanceof Distribution)) return [{ metricName: name, labels, value }];
  let sum = 0;
  const buckets = value.counts.map((count, place) => {
    sum += count;
    return { metricName: `${name}_bucket`, labels: { ...labels, le: value.bounds[place] ?? '+Inf' }, value: sum };
  });
  return [...buckets, { metricName: `${name}_sum`, labels, value: value.sum }, { metricName: `${name}_count`, labels, value: sum }];
}
