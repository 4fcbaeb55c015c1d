/** Reads a list of jobs page by page, and follows it by one subscription with the same filter. */
import { type ReadonlySignal, signal } from '@preact/signals';
import { type JobFilter, type JobOrder, JobRowsDocument, JobsPageDocument } from '../../generated.ts';
import { gateway } from '../../streams/gateway.ts';
import { JobRows } from './job-rows.ts';

/** A list with its filter and order. Another filter is another source. */
export class JobsSource {
  readonly rows: JobRows;
  readonly #filter: JobFilter;
  readonly #order: JobOrder;
  readonly #stop = new AbortController();
  readonly #isRead = signal(false);
  readonly #error = signal<Error | undefined>(undefined);
  readonly #isOutdated = signal(false);
  #isReading = false;

  constructor(filter: JobFilter, order: JobOrder) {
    this.#filter = filter;
    this.#order = order;
    this.rows = new JobRows(order);
  }

  /** Whether the first page was read. */
  get isRead(): ReadonlySignal<boolean> {
    return this.#isRead;
  }

  get error(): ReadonlySignal<Error | undefined> {
    return this.#error;
  }

  /** Whether the gateway has forgotten what happened while the connection was lost. */
  get isOutdated(): ReadonlySignal<boolean> {
    return this.#isOutdated;
  }

  /** Returns what ends it. */
  start(): () => void {
    this.#follow().catch((error: Error) => this.#fail(error));
    return () => this.#stop.abort();
  }

  /** Reads the next page, if there is one and none is on its way. */
  readMore(): void {
    if (this.#isReading || !this.rows.hasMore.peek()) return;
    this.#isReading = true;
    this.#error.value = undefined;
    const variables = { filter: this.#filter, orderBy: this.#order, after: this.rows.beginPage() };
    gateway
      .request(JobsPageDocument, variables, { signal: this.#stop.signal })
      .finally(() => {
        this.#isReading = false;
      })
      .then(({ jobs }) => {
        this.rows.takePage(jobs);
        this.#isRead.value = true;
      })
      .catch((error: Error) => this.#fail(error));
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    // Its beginning is read by the query, in the order of the list.
    const stream = gateway.subscribe(JobRowsDocument, { filter: this.#filter, newest: 1 }, { signal });
    let isFirst = true;
    for await (const frame of stream) {
      if (frame.missed > 0) this.#isOutdated.value = true;
      this.rows.takeFrame(frame);
      if (isFirst) this.readMore();
      isFirst = false;
    }
  }

  #fail(error: Error): void {
    if (!this.#stop.signal.aborted) this.#error.value = error;
  }
}
