/**
 * The log of one attempt: reads what is looked at, follows what is written, and searches on the
 * server.
 */
import { signal } from '@preact/signals';
import {
  LogAfterDocument,
  LogEndDocument,
  LogFromDocument,
  LogLiveDocument,
  LogSearchDocument,
  type LogSearchQuery,
} from '../generated.ts';
import { gateway } from '../streams/gateway.ts';
import { LineCache, type Piece } from './line-cache.ts';

interface Chunk extends Piece {
  readonly attempt: number;
}

export interface LogPlace {
  readonly jobId: string;
  readonly stepId: string;
  readonly stepNumber: number;
  readonly attempt: number;
}

/** Lines that are read for the first look, at the end. */
const END_LINES = 100;
/** Pieces of one read. The gateway also bounds its bytes. */
const READ_PIECES = 100;
/** Reads at most this far ahead of the line that was asked for. */
const AHEAD_LINES = 200;

/** A search ends after this many. */
export const MOST_MATCHES = 1_000;

export interface Match {
  readonly line: number;
  readonly text: string;
}

export class LogSource {
  readonly place: LogPlace;
  readonly cache = new LineCache();
  /** Raised when lines were added, so that the view draws them. */
  readonly version = signal(0);
  readonly error = signal<Error | null>(null);
  readonly isEmpty = signal(false);
  readonly isOpen = signal(false);
  #stop = new AbortController();
  #reading: Promise<void> | null = null;
  #isDrawDue = false;

  constructor(place: LogPlace) {
    this.place = place;
  }

  /** Reads the end, and follows from there while `isLive`. */
  async open(isLive: boolean): Promise<void> {
    const { signal: stop } = this.#stop;
    const { stepId } = this.place;
    try {
      const { step } = await gateway.request(LogEndDocument, { stepId, lines: END_LINES }, { signal: stop });
      const page = step?.logEnd;
      const own = this.#ownOf(page?.chunks ?? []);
      if (page && own.length > 0) this.cache.addRun(own, this.#beginOf(own, page.hasPrevious), true);
      else if (page) await this.#findEnd(stop);
      this.isEmpty.value = this.cache.total === 0;
      this.isOpen.value = true;
      this.#draw();
      if (isLive) void this.#follow(page?.endCursor ?? null);
    } catch (error) {
      if (!stop.aborted) this.error.value = error instanceof Error ? error : new Error(String(error));
    }
  }

  close(): void {
    this.#stop.abort();
  }

  /** Reads lines around the view that are not held. Called again when the view moves. */
  async read(from: number, to: number): Promise<void> {
    if (this.#reading !== null) return;
    const line = this.cache.firstMissing(Math.max(1, from), to);
    if (line === null) return;
    this.#reading = this.#readFrom(line, to + AHEAD_LINES).finally(() => {
      this.#reading = null;
    });
    await this.#reading;
  }

  async search(text: string, isStopped: AbortSignal, onMatches: (matches: readonly Match[], isAll: boolean) => void): Promise<void> {
    const { stepId, attempt } = this.place;
    const found: Match[] = [];
    for (let after: string | null = null; ; ) {
      const answer: LogSearchQuery = await gateway.request(LogSearchDocument, { stepId, text, attempt, after }, { signal: isStopped });
      const page = answer.step?.logSearch;
      found.push(...(page?.matches ?? []));
      const isAll = !page?.hasMore || found.length >= MOST_MATCHES;
      onMatches(found, isAll);
      if (isAll) return;
      after = page.endCursor ?? null;
    }
  }

  /** The whole log as it was written. */
  async readAll(): Promise<Blob> {
    const { signal: stop } = this.#stop;
    const { stepId, attempt } = this.place;
    const { step } = await gateway.request(LogFromDocument, { stepId, attempt, line: 1, first: READ_PIECES }, { signal: stop });
    const parts: string[] = [];
    for (let page = step?.logFrom; page; ) {
      const own = this.#ownOf(page.chunks);
      parts.push(...own.map(({ text }) => text));
      if (!page.hasMore || page.endCursor === null || own.length < page.chunks.length) break;
      page = (await gateway.request(LogAfterDocument, { stepId, after: page.endCursor, first: READ_PIECES }, { signal: stop })).step?.log;
    }
    return new Blob(parts, { type: 'text/plain;charset=utf-8' });
  }

  async #readFrom(line: number, to: number): Promise<void> {
    const { signal: stop } = this.#stop;
    const { stepId, attempt } = this.place;
    try {
      const { step } = await gateway.request(LogFromDocument, { stepId, attempt, line, first: READ_PIECES }, { signal: stop });
      let page = step?.logFrom;
      const pieces: Piece[] = [];
      for (;;) {
        const own = this.#ownOf(page?.chunks ?? []);
        pieces.push(...own);
        const last = own.at(-1);
        const isEnd = !page?.hasMore || own.length < (page.chunks.length ?? 0);
        if (!page || isEnd || last === undefined || last.firstLine > to || page.endCursor === null) {
          this.cache.addRun(pieces, line, isEnd);
          break;
        }
        const next = await gateway.request(LogAfterDocument, { stepId, after: page.endCursor, first: READ_PIECES }, { signal: stop });
        page = next.step?.log;
      }
      this.cache.trim(line);
      this.#draw();
    } catch (error) {
      if (!stop.aborted) this.error.value = error instanceof Error ? error : new Error(String(error));
    }
  }

  /** The end of an attempt that is not the step's last. */
  async #findEnd(stop: AbortSignal): Promise<void> {
    const { stepId, attempt } = this.place;
    const { step } = await gateway.request(LogFromDocument, { stepId, attempt, line: 1, first: READ_PIECES }, { signal: stop });
    const own = this.#ownOf(step?.logFrom.chunks ?? []);
    this.cache.addRun(own, 1, true);
  }

  async #follow(after: string | null): Promise<void> {
    const { jobId, stepNumber } = this.place;
    const stream = gateway.subscribe(LogLiveDocument, { jobId, stepNumber, after }, { signal: this.#stop.signal });
    try {
      for await (const frame of stream) {
        this.cache.append(this.#ownOf(frame.chunks));
        this.isEmpty.value = this.cache.total === 0;
        this.cache.trim(this.cache.total);
        this.#draw();
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) this.error.value = error instanceof Error ? error : new Error(String(error));
    }
  }

  #ownOf(chunks: readonly Chunk[]): Chunk[] {
    return chunks.filter(({ attempt }) => attempt === this.place.attempt);
  }

  #beginOf(pieces: readonly Piece[], hasPrevious: boolean): number {
    const [first] = pieces;
    return first === undefined || first.offset === 0 || !hasPrevious ? 1 : first.firstLine + 1;
  }

  /** Once a frame of the screen, however many frames of the stream came. */
  #draw(): void {
    if (this.#isDrawDue) return;
    this.#isDrawDue = true;
    requestAnimationFrame(() => {
      this.#isDrawDue = false;
      this.version.value += 1;
    });
  }
}
