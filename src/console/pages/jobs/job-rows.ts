/**
 * The rows of a list of jobs: pages that were read, and a stream of what changed since.
 *
 * The stream is begun before the first page is read, so that nothing falls between them. What the
 * stream says while a page is on its way is newer than that page. Each row is a signal of its own:
 * a change draws one row.
 */
import { batch, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { JobOrder, JobsRowFieldsFragment } from '../../generated.ts';

export type JobRow = JobsRowFieldsFragment;

interface Page {
  readonly nodes: readonly JobRow[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

interface Frame {
  readonly jobs: readonly JobRow[];
  readonly removedIds: readonly string[];
}

export class JobRows {
  readonly #order: JobOrder;
  readonly #rows = new Map<string, Signal<JobRow>>();
  /** Jobs whose place is within what was read, and that are not shown yet. */
  readonly #waiting = new Map<string, JobRow>();
  /** Shown rows that changed, so that their place may not be right any more. */
  readonly #changed = new Set<string>();
  readonly #ids = signal<readonly string[]>([]);
  readonly #hasMore = signal(true);
  readonly #waitingCount = signal(0);
  readonly #changedCount = signal(0);
  /** What the stream said while a page is on its way. Null: the job left the list. */
  #since: Map<string, JobRow | null> | null = null;
  #endCursor: string | null = null;

  constructor(order: JobOrder) {
    this.#order = order;
  }

  /** The shown rows, in order. */
  get ids(): ReadonlySignal<readonly string[]> {
    return this.#ids;
  }

  /** Whether there are more pages to read. */
  get hasMore(): ReadonlySignal<boolean> {
    return this.#hasMore;
  }

  /** How many jobs came into the list, and are not shown yet. */
  get waiting(): ReadonlySignal<number> {
    return this.#waitingCount;
  }

  /** How many shown rows changed, in an order that a change may move them in. */
  get changed(): ReadonlySignal<number> {
    return this.#changedCount;
  }

  get isByCreation(): boolean {
    return this.#order.field === 'CREATED_AT';
  }

  /** The row as it is now. A component that reads it is drawn with each change. */
  get(id: string): JobRow | undefined {
    return this.#rows.get(id)?.value;
  }

  peek(id: string): JobRow | undefined {
    return this.#rows.get(id)?.peek();
  }

  /** To be called when the next page is requested. Returns what to read it after. */
  beginPage(): string | null {
    this.#since = new Map();
    return this.#endCursor;
  }

  takePage({ nodes, pageInfo }: Page): void {
    const since = this.#since ?? new Map<string, JobRow | null>();
    this.#since = null;
    const added: string[] = [];
    for (const node of nodes) {
      const newer = since.get(node.id);
      since.delete(node.id);
      if (newer === null || this.#rows.has(node.id)) continue;
      this.#rows.set(node.id, signal(newer ?? node));
      this.#waiting.delete(node.id);
      added.push(node.id);
    }
    this.#endCursor = pageInfo.endCursor;
    batch(() => {
      this.#hasMore.value = pageInfo.hasNextPage;
      this.#ids.value = [...this.#ids.peek(), ...added];
      // What came into the list meanwhile, at a place that has been read now.
      for (const row of since.values()) if (row !== null) this.#take(row);
      this.#count();
    });
  }

  takeFrame({ jobs, removedIds }: Frame): void {
    batch(() => {
      for (const row of jobs) {
        this.#since?.set(row.id, row);
        this.#take(row);
      }
      for (const id of removedIds) this.#since?.set(id, null);
      this.#remove(removedIds);
      this.#count();
    });
  }

  /** Shows the jobs that wait, each at its place. Only a list by creation knows their places. */
  showWaiting(): void {
    if (this.#waiting.size === 0) return;
    const isAscending = this.#order.direction === 'ASC';
    batch(() => {
      for (const [id, row] of this.#waiting) this.#rows.set(id, signal(row));
      // Ids sort by creation.
      this.#ids.value = [...this.#ids.peek(), ...this.#waiting.keys()].sort((a, b) => (a < b === isAscending ? -1 : 1));
      this.#waiting.clear();
      this.#count();
    });
  }

  #take(row: JobRow): void {
    const known = this.#rows.get(row.id);
    if (known) {
      known.value = row;
      if (!this.isByCreation) this.#changed.add(row.id);
    } else if (this.#isWithin(row.id)) this.#waiting.set(row.id, row);
  }

  /** Whether the place of this job is in what was read. If not, a later page has it. */
  #isWithin(id: string): boolean {
    const last = this.#ids.peek().at(-1);
    if (!this.#hasMore.peek()) return true;
    if (last === undefined) return false;
    // By another order, its place is not known.
    if (!this.isByCreation) return true;
    return this.#order.direction === 'ASC' ? id < last : id > last;
  }

  #remove(ids: readonly string[]): void {
    const gone = new Set(ids.filter((id) => this.#rows.delete(id)));
    if (gone.size > 0) this.#ids.value = this.#ids.peek().filter((id) => !gone.has(id));
    for (const id of ids) {
      this.#waiting.delete(id);
      this.#changed.delete(id);
    }
  }

  #count(): void {
    this.#waitingCount.value = this.#waiting.size;
    this.#changedCount.value = this.#changed.size;
  }
}
