/**
 * The store for the bytes of fragments: a folder (`disk.ts`), or anything else that passes
 * test/store/files/contract.ts.
 *
 * A file never changes once it is kept. Its key contains its SHA-256, so two simultaneous uploads
 * of one fragment cannot mix: the row in the database says which one counts. No path leaves a
 * store: all reads go through it.
 */
export interface FileStore {
  /**
   * Stores a stream durably, at constant memory. It cannot be read before it is kept, and nothing
   * is left if it fails.
   */
  receive(id: string, bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, atMost: number): Promise<ReceivedFile>;
  /** Reads a file or a range of it. Throws FileMissing. */
  read(key: FileKey, range?: ByteRange): AsyncIterable<Uint8Array>;
  /** Opens a file for reading at any position. Throws FileMissing. */
  open(key: FileKey): Promise<OpenFile>;
  /** Names a file for another thread of this process, which reads it with `openShared`. */
  share(key: FileKey): SharedFile;
  /** Removes one file of a fragment, and no other. */
  removeFile(key: FileKey): Promise<void>;
  /** Removes every file of a fragment, including uploads in progress. */
  remove(id: string): Promise<void>;
  /**
   * Removes what broken uploads left, but never an upload in progress in this process. Of other
   * processes, it removes uploads that were not written to since `before`. Null removes all of
   * them, for callers who know that there is no other process.
   */
  sweep(before: Date | null): Promise<void>;
}

export interface FileKey {
  /** The id of the fragment. */
  readonly id: string;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** From `start` to `end`, both included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface StoredFile {
  readonly sizeBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

export interface ReceivedFile {
  readonly file: StoredFile;
  /** Makes the file readable, durably. Throws RemovedMeanwhile. */
  keep(): Promise<void>;
  /** Removes the received bytes. Does nothing after `keep`. */
  drop(): Promise<void>;
}

export interface OpenFile {
  /** Reads this many bytes from a position; fewer at the end of the file. */
  read(position: number, length: number): Promise<Buffer>;
  close(): Promise<void>;
}

/** Can be sent to another thread. Only the module that it names reads `where`. */
export interface SharedFile {
  /** The URL of a module that exports `openHere`, as in `SharedFileModule`. */
  readonly module: string;
  readonly where: unknown;
}

export interface SharedFileModule {
  /** Throws FileMissing. */
  openHere(where: unknown): Promise<BlockingFile>;
}

/** A file that is read in a thread of its own, where blocking holds up nothing else. */
export interface BlockingFile {
  readonly sizeBytes: number;
  /**
   * Fills `bytes` from a position. Returns the number of bytes read: fewer at the end of the file.
   */
  read(position: number, bytes: Uint8Array): number;
  close(): void;
}

/** Opens a file that another thread shared. Throws FileMissing. */
export async function openShared({ module, where }: SharedFile): Promise<BlockingFile> {
  const { openHere }: SharedFileModule = await import(module);
  return openHere(where);
}

/** The upload has more bytes than allowed or announced. */
export class TooManyBytes extends Error {
  readonly allowed: number;
  /** The bytes received so far. The full size is unknown. */
  readonly received: number;
  constructor(allowed: number, received: number) {
    super(`The upload has more than ${allowed} bytes.`);
    this.allowed = allowed;
    this.received = received;
  }
}

/** The fragment was removed during its upload. */
export class RemovedMeanwhile extends Error {}

/** There is no file with this key. */
export class FileMissing extends Error {}
