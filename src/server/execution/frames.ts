import type { Bookmark, Pulled } from '../../realtime/pull.ts';
import type { Answer } from '../answers.ts';
import { bytesOf, isUnsentLimit, type Share } from '../connections/unsent.ts';
import type { Audience, Audiences, Member, PassedFrame, Taken } from './audience.ts';

/** A frame for one consumer. */
export interface Frame {
  readonly text: string;
  /** Its cursor. Undefined if its stream cannot be resumed. */
  readonly cursor: string | undefined;
  /** Call it when the frame was sent. */
  readonly sent: () => void;
}

/** Turns the events of a source into frames. */
export interface FrameMaker {
  /**
   * The frame of one event. A frame without data is the last, because continuing after it would
   * hide a gap.
   */
  frame(event: unknown): Promise<Answer>;
  /** The last frame, when the source or an execution failed. */
  failure(error: unknown): string;
  /** The frame of this event was sent to this many consumers. */
  sent(event: unknown, times: number): void;
  /** Called once, at the end. */
  ended(): void;
}

/** The size to reserve for a frame of a source that does not state one. */
const USUAL_BYTES = 16_384;
/** A frame refused for one of these codes is too large for one answer and can be split. */
const OF_ONE_ANSWER: ReadonlySet<string | null> = new Set(['answerBytes', 'executionMs']);

/** The most characters of a frame that is pushed. A longer one is sent in pieces (outlet.ts). */
const MOST_PUSHED = 65_536;

/** Writes a frame to its consumer at once, if nothing else waits. `left` is called after `slow`. */
export type Push = (payload: Buffer, left: () => void) => Taken;

/** Where streams of the same question meet. */
export interface Meeting {
  readonly audiences: Audiences;
  /** Everything that decides what a consumer sees. */
  readonly question: string;
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * The frames of one subscription. Each `next` pulls one event from the source, never ahead, and
 * only when there is room for its bytes (unsent.ts). A frame that is too large for one answer is
 * pulled again in smaller parts.
 *
 * This is not an `async function*`: a generator that waits for its source cannot be ended before
 * the source answers, so the subscribers of a quiet job would leak. Here `return` and `end` settle
 * waiting calls at once.
 *
 *     waiting ── the source gives an event ──▶ frame ──▶ waiting
 *        │
 *        ├── the source ends, or return() ──▶ done
 *        └── the source or a frame fails, or end(frame) ──▶ one last frame ──▶ done
 *
 * A stream whose consumer can be pushed to is, while it waits, in the audience of its question
 * (audience.ts). Then frames are pushed, and `next` resolves to the first that could not be.
 */
export class FrameStream implements AsyncIterableIterator<Frame>, Member {
  readonly #source: AsyncIterator<unknown>;
  readonly #maker: FrameMaker;
  readonly #share: Share;
  readonly #meeting: Meeting;
  readonly #waiting = new Set<(result: IteratorResult<Frame, undefined>) => void>();
  #last: string | undefined;
  /** The event of the newest frame. */
  #event: unknown;
  #isEnded = false;
  readonly #sent = () => this.#noteSent();
  #push: Push | null = null;
  #audience: Audience | null = null;
  /** Settles when the pushed frame has left entirely. */
  #leaving: Promise<void> | null = null;

  constructor(source: AsyncIterator<unknown>, maker: FrameMaker, share: Share, meeting: Meeting) {
    this.#source = source;
    this.#maker = maker;
    this.#share = share;
    this.#meeting = meeting;
    if (!isPulled(source)) return;
    source.gate = (bytes) => this.#reserve(bytes);
    source.idle = () => this.#idle(source);
  }

  /** From now on, frames may be pushed while a call of `next` waits. */
  pushTo(push: Push): void {
    this.#push = push;
  }

  next(): Promise<IteratorResult<Frame, undefined>> {
    if (this.#isEnded) return Promise.resolve(this.#final());
    return new Promise((resolve) => {
      this.#waiting.add(resolve);
      void this.#pull(resolve);
    });
  }

  /** The consumer needs no more frames. Does not wait for the source. */
  return(): Promise<IteratorReturnResult<undefined>> {
    this.#last = undefined;
    this.#finish();
    return Promise.resolve(DONE);
  }

  /** Sends `last` and ends, for example when the consumer's key has ended. */
  end(last: string): void {
    if (this.#isEnded) return;
    this.#last = last;
    this.#finish();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  take({ payload }: PassedFrame): Taken {
    if (!this.#push || !this.#share.hasRoom(payload.length)) return 'refused';
    let left = () => {};
    const taken = this.#push(payload, () => left());
    if (taken === 'sent') this.#share.release();
    if (taken === 'slow') {
      this.#share.settle(payload.length);
      this.#leaving = new Promise((resolve) => {
        left = () => {
          this.#leaving = null;
          this.#share.release();
          resolve();
        };
      });
    }
    return taken;
  }

  rest(): void {
    if (isPulled(this.#source)) this.#source.rest();
  }

  readFrom(bookmark: Bookmark): void {
    if (!this.#audience?.isReader(this)) this.#audience = null;
    const read = () => isPulled(this.#source) && this.#source.readFrom(bookmark);
    if (this.#leaving) void this.#leaving.then(read);
    else read();
  }

  #noteSent(): void {
    this.#maker.sent(this.#event, 1);
    // A quiet stream must not keep its last event in memory.
    this.#event = undefined;
    this.#share.release();
  }

  async #pull(resolve: (result: IteratorResult<Frame, undefined>) => void): Promise<void> {
    try {
      for (;;) {
        const event = await this.#source.next();
        if (this.#isEnded) return;
        if (event.done) return this.#finish(true);
        if (!isPulled(this.#source)) await this.#share.reserve(USUAL_BYTES);
        const frame = await this.#make(event.value);
        if (this.#isEnded) return;
        if (OF_ONE_ANSWER.has(frame.limit) && isPulled(this.#source) && this.#source.narrow()) continue;
        if (frame.outcome !== 'data') {
          this.#dissolve();
          return this.end(frame.text);
        }
        if (await this.#pass(event.value, frame.text)) continue;
        if (this.#isEnded) return;
        this.#share.settle(bytesOf(frame.text));
        this.#event = event.value;
        const value = { text: frame.text, cursor: cursorOf(event.value), sent: this.#sent };
        if (this.#waiting.delete(resolve)) resolve({ done: false, value });
        return;
      }
    } catch (error) {
      if (!this.#isEnded) this.end(this.#maker.failure(error));
    }
  }

  /** An event that cannot be read now, because too much is unsent, is read again later. */
  async #make(event: unknown): Promise<Answer> {
    for (;;) {
      const frame = await this.#maker.frame(event);
      if (!isUnsentLimit(frame.limit) || this.#isEnded) return frame;
      this.#leave();
      await this.#share.reserve(2 * this.#share.wanted);
    }
  }

  /** The others of the audience must not wait until this stream has room. */
  #reserve(bytes: number): Promise<void> {
    if (this.#audience && !this.#share.hasRoom(bytes)) this.#leave();
    return this.#share.reserve(bytes);
  }

  #idle(source: Pulled<unknown>): void {
    this.#share.release();
    const bookmark = source.bookmark();
    if (!bookmark || !this.#push) return;
    const { audiences, question } = this.#meeting;
    if (this.#audience) this.#audience.moveTo(bookmark);
    else this.#audience = audiences.join(question, this, bookmark);
  }

  /** Passes a frame to the audience that this stream reads for. Returns whether it took it too. */
  async #pass(event: unknown, text: string): Promise<boolean> {
    const audience = this.#audience;
    if (!audience || !isPulled(this.#source)) return false;
    const bookmark = this.#source.bookmark();
    if (!bookmark || this.#source.isOver || text.length > MOST_PUSHED) {
      this.#dissolve();
      return false;
    }
    const frame = { payload: Buffer.from(text), event };
    const taken = this.take(frame);
    const others = await audience.pass(frame, bookmark);
    this.#maker.sent(event, others + (taken === 'refused' ? 0 : 1));
    if (taken !== 'sent') this.#leave();
    if (taken === 'slow') await this.#leaving;
    return taken !== 'refused';
  }

  #leave(): void {
    const audience = this.#audience;
    this.#audience = null;
    audience?.leave(this);
  }

  #dissolve(): void {
    const audience = this.#audience;
    this.#audience = null;
    audience?.dissolve();
  }

  #finish(isSourceDone = false): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#event = undefined;
    this.#share.close();
    this.#maker.ended();
    for (const resolve of this.#waiting) resolve(this.#final());
    this.#waiting.clear();
    if (isSourceDone) {
      this.#dissolve();
      return;
    }
    this.#leave();
    // The consumer has gone, so a failure to end the source is not reported.
    Promise.resolve(this.#source.return?.()).catch(() => {});
  }

  #final(): IteratorResult<Frame, undefined> {
    if (this.#last === undefined) return DONE;
    const value = { text: this.#last, cursor: undefined, sent: this.#sent };
    this.#last = undefined;
    return { done: false, value };
  }
}

/** The sources of src/realtime are pulled. */
const isPulled = (source: AsyncIterator<unknown>): source is Pulled<unknown> => 'gate' in source && 'narrow' in source;

function cursorOf(event: unknown): string | undefined {
  return event instanceof Object && 'cursor' in event && typeof event.cursor === 'string' ? event.cursor : undefined;
}

/**
 * Shares frames of the same event for the same document, variables and rights. A source that gives
 * one event object to many subscribers has it executed and serialised once for all of them. The
 * memory is freed with the event.
 */
export class SharedFrames {
  readonly #byEvent = new WeakMap<object, Map<string, Promise<Answer>>>();

  frame(event: unknown, key: string, make: () => Promise<Answer>): Promise<Answer> {
    if (typeof event !== 'object' || event === null) return make();
    let byKey = this.#byEvent.get(event);
    if (!byKey) {
      byKey = new Map();
      this.#byEvent.set(event, byKey);
    }
    const known = byKey.get(key);
    if (known) return known;
    const frame = make();
    byKey.set(key, frame);
    const forget = () => byKey.get(key) === frame && byKey.delete(key);
    // A frame that had no room is made again later.
    frame.then(({ limit }) => isUnsentLimit(limit) && forget(), forget);
    return frame;
  }
}
