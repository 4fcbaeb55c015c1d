import { Transform } from 'node:stream';
import type { Principal } from '../../domain/access/principal.ts';
import { keyEnded, limitExceeded, type RequestRefused } from '../../domain/core/request-refusals.ts';
import type { ServerParts } from '../app.ts';
import { keyOf, Tally } from '../connections/tally.ts';
import type { Limits } from '../limits.ts';

/**
 * What one key may have open into running steps. A browser has six connections to a host; a device
 * takes 256 of all keys.
 */
const MOST_PER_KEY = 64;

/** Limits what passes between clients and running steps. */
export class Passages {
  readonly #limits: Pick<Limits, 'passageBytes' | 'passageMs'>;
  readonly #onKeyEnd: ServerParts<object>['onKeyEnd'];
  readonly #ofKey = new Tally(MOST_PER_KEY);

  constructor(limits: Pick<Limits, 'passageBytes' | 'passageMs'>, onKeyEnd: ServerParts<object>['onKeyEnd']) {
    this.#limits = limits;
    this.#onKeyEnd = onKeyEnd;
  }

  /**
   * Opens a passage. `cut` is called, with the reason, when its key has ended or it has taken too
   * much. Throws LIMIT_EXCEEDED.
   */
  open(principal: Principal, cut: (why: RequestRefused) => void): Passage {
    const release = this.#ofKey.take(keyOf(principal));
    if (!release) throw limitExceeded.passages(MOST_PER_KEY);
    const { passageBytes, passageMs } = this.#limits;
    const timer = setTimeout(() => cut(limitExceeded.passageTime(passageMs)), passageMs).unref();
    const stopWatching = this.#onKeyEnd(principal, (why) => cut(keyEnded(why)));
    const close = () => {
      clearTimeout(timer);
      stopWatching();
      release();
    };
    return new Passage(passageBytes, cut, close);
  }
}

/** One request, connection or command between a client and a running step. */
export class Passage {
  readonly #most: number;
  readonly #cut: (why: RequestRefused) => void;
  readonly #onClose: () => void;
  #bytes = 0;
  #isClosed = false;

  constructor(most: number, cut: (why: RequestRefused) => void, onClose: () => void) {
    this.#most = most;
    this.#cut = cut;
    this.#onClose = onClose;
  }

  /** Counts the bytes of one direction. */
  meter(): Transform {
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        this.#bytes += chunk.length;
        if (this.#bytes > this.#most) this.#cut(limitExceeded.passageBytes(this.#most));
        done(null, chunk);
      },
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#onClose();
  }
}
