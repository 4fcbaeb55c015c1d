import { createHash } from 'node:crypto';
import { badRequest, type RequestRefused, unknownHash, untrustedDocument } from '../../domain/core/request-refusals.ts';
import type { Params } from '../context.ts';
import { SizedCache } from './sized-cache.ts';

/** Enough for some thousand typical documents. */
const MAX_BYTES = 8_000_000;
/** What a text of any length takes besides its characters. */
const BYTES_PER_DOCUMENT = 300;

/**
 * An id without its optional prefix: `sha256:…` is the hash itself. A hash is written in lower
 * case. Other ids are case-sensitive.
 */
export function normalizeId(id: string): string {
  const bare = id.replace(/^sha256:/, '');
  return /^[\da-f]{64}$/i.test(bare) ? bare.toLowerCase() : bare;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/**
 * Documents that are requested by hash or id instead of their text.
 *
 * By default by hash, as in Apollo's automatic persisted queries: a client sends only the hash,
 * gets PersistedQueryNotFound, sends document and hash once, and from then on the hash. The cache
 * is bounded in bytes.
 *
 * With trusted documents (`--documents`) by an id of that list, and no other document is executed,
 * however it is sent.
 */
export class PersistedDocuments {
  readonly #trusted: ReadonlyMap<string, string> | null;
  readonly #trustedTexts: ReadonlySet<string>;
  readonly #sent = new SizedCache<string, string>(MAX_BYTES);

  /** `trusted`: by ids as normalizeId writes them. */
  constructor(trusted: ReadonlyMap<string, string> | null) {
    this.#trusted = trusted;
    this.#trustedTexts = new Set(trusted?.values());
  }

  /** The text of the requested document, or the reason why there is none. */
  find(params: Params): string | RequestRefused {
    const { query, documentId } = params;
    const hash = hashOf(params);
    if (this.#trusted)
      return this.#findTrusted(this.#trusted, query, { documentId: documentId === undefined ? undefined : normalizeId(documentId), hash });
    if (documentId !== undefined) return badRequest.noTrustedDocuments();
    if (hash === undefined) return query;
    if (query !== '') return sha256(query) === hash ? query : badRequest.otherHash();
    return this.#sent.get(hash) ?? unknownHash();
  }

  /**
   * The document of these params is valid. If its hash was sent too, it can be requested by hash
   * from now on.
   */
  remember(params: Params): void {
    const { query } = params;
    const hash = hashOf(params);
    if (this.#trusted || hash === undefined || query === '') return;
    this.#sent.set(hash, query, 2 * query.length + BYTES_PER_DOCUMENT);
  }

  #findTrusted(trusted: ReadonlyMap<string, string>, query: string, asked: AskedIds): string | RequestRefused {
    const { documentId, hash } = asked;
    if (documentId !== undefined && hash !== undefined && documentId !== hash) return badRequest.idsDiffer('documentId', 'sha256Hash');
    const id = documentId ?? hash;
    const text = id === undefined ? undefined : trusted.get(id);
    if (text !== undefined) return query === '' || query === text ? text : badRequest.otherDocument();
    if (this.#trustedTexts.has(query) && (id === undefined || id === sha256(query))) return query;
    return untrustedDocument();
  }
}

interface AskedIds {
  readonly documentId: string | undefined;
  readonly hash: string | undefined;
}

/** `{"persistedQuery": {"version": 1, "sha256Hash": "…"}}`, as params.ts has checked it. */
function hashOf({ extensions }: Params): string | undefined {
  const persisted = extensions?.persistedQuery;
  return persisted instanceof Object && 'sha256Hash' in persisted && typeof persisted.sha256Hash === 'string'
    ? normalizeId(persisted.sha256Hash)
    : undefined;
}
