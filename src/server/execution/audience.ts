import type { Bookmark } from '../../realtime/pull.ts';

/**
 * How many members get a frame in one turn of the event loop: about 2 ms, so that thousands of
 * members do not hold up requests.
 */
const AT_ONCE = 500;

/** A frame for many: the bytes of its text, and the event that it shows. */
export interface PassedFrame {
  readonly payload: Buffer;
  readonly event: unknown;
}

/**
 * `sent`: the system has accepted the frame. `slow`: only a part of it; the rest follows.
 * `refused`: nothing was sent, because something else is unsent or there is no room.
 */
export type Taken = 'sent' | 'slow' | 'refused';

/** The stream of a subscriber. */
export interface Member {
  /** Sends the frame at once, if it can. */
  take(frame: PassedFrame): Taken;
  /** Reads nothing more by itself. */
  rest(): void;
  /** Reads by itself, beginning here, as soon as what it has taken was sent. */
  readFrom(bookmark: Bookmark): void;
}

/**
 * Subscribers of one question who have seen the same: one of them, the reader, reads for all. A
 * frame is read, executed and serialised once, and written to one socket after another, without a
 * promise or a timer for each.
 *
 *                    finds nothing new                      finds nothing new
 *     reads alone ──────────────────────▶ rests, a member ◀──────────────────── reads alone
 *          ▲                                │         │                              ▲
 *          │        slow, or refused          │         │  the reader leaves           │
 *          └────────────────────────────────┘         ▼                              │
 *                                                the reader ──── slow, or refused ───┘
 *
 * Nobody waits for a member: whoever is slow or has no room for more reads on alone from where it
 * is, and comes back when it has caught up. So does everybody at the end of the stream, or when a
 * frame is too long to be written at once.
 */
export class Audience {
  #reader: Member | null;
  readonly #others = new Set<Member>();
  /** What every member has seen: all frames before it. */
  #bookmark: Bookmark;
  /** While a frame is passed: the bookmark after it, and members who have seen it already. */
  #passing: { readonly bookmark: Bookmark; readonly early: Set<Member> } | null = null;
  readonly #ended: () => void;

  constructor(reader: Member, bookmark: Bookmark, ended: () => void) {
    this.#reader = reader;
    this.#bookmark = bookmark;
    this.#ended = ended;
  }

  isReader(member: Member): boolean {
    return this.#reader === member;
  }

  /** Returns false if the member has seen more or less than the others. */
  join(member: Member, bookmark: Bookmark): boolean {
    if (bookmark.name === this.#bookmark.name) this.#others.add(member);
    else if (bookmark.name === this.#passing?.bookmark.name) this.#passing.early.add(member);
    else return false;
    member.rest();
    return true;
  }

  leave(member: Member): void {
    this.#others.delete(member);
    this.#passing?.early.delete(member);
    if (!this.isReader(member)) return;
    this.#reader = null;
    if (!this.#passing) this.#appoint();
  }

  /** The reader found nothing, and may have gone past entries that its filter drops. */
  moveTo(bookmark: Bookmark): void {
    this.#bookmark = bookmark;
  }

  /**
   * Passes the reader's frame to the others. `bookmark`: after it. Resolves to how many took it,
   * after a turn of the event loop: a stream with much to say would leave none to others.
   */
  async pass(frame: PassedFrame, bookmark: Bookmark): Promise<number> {
    const early = new Set<Member>();
    this.#passing = { bookmark, early };
    let taken = 0;
    let left = AT_ONCE;
    // Members that come and go meanwhile have not seen the frame either.
    for (const member of this.#others) {
      const how = member.take(frame);
      if (how !== 'refused') taken += 1;
      if (how !== 'sent') this.#letGo(member, how === 'slow' ? bookmark : this.#bookmark);
      left -= 1;
      if (left > 0) continue;
      left = AT_ONCE;
      await turn();
    }
    this.#bookmark = bookmark;
    this.#passing = null;
    for (const member of early) this.#others.add(member);
    if (!this.#reader) this.#appoint();
    await turn();
    return taken;
  }

  /** Everybody reads alone. The reader goes on from where it is. */
  dissolve(): void {
    this.#reader = null;
    for (const member of this.#others) this.#letGo(member, this.#bookmark);
    this.#ended();
  }

  #letGo(member: Member, bookmark: Bookmark): void {
    this.#others.delete(member);
    member.readFrom(bookmark);
  }

  #appoint(): void {
    const [next] = this.#others;
    this.#reader = next ?? null;
    if (next) this.#letGo(next, this.#bookmark);
    else this.#ended();
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** The audiences of a gateway, by what their members asked and may see. */
export class Audiences {
  readonly #byQuestion = new Map<string, Audience>();

  /** The audience that the member is now in. Null: the one there is has seen something else. */
  join(question: string, member: Member, bookmark: Bookmark): Audience | null {
    const known = this.#byQuestion.get(question);
    if (known) return known.join(member, bookmark) ? known : null;
    const founded: Audience = new Audience(member, bookmark, () => {
      if (this.#byQuestion.get(question) === founded) this.#byQuestion.delete(question);
    });
    this.#byQuestion.set(question, founded);
    return founded;
  }
}
