/**
 * Where the bytes of fragments are kept: a folder (`disk.ts`), or whatever else keeps what test/store/files/contract.ts asks of it.
 *
 * A file never changes once it is kept. Its key holds its SHA-256, so two uploads of one fragment at once cannot mix: the row in
 * the database says which of them it is. No path leaves a store: others read through it.
 */
export interface FileStore {
  /** Stores a stream at constant memory, whole and durable. Nobody reads it before it is kept, and nothing is left when it fails. */
  receive(id: string, bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, atMost: number): Promise<ReceivedFile>;
  /** Reads a file from beginning to end, or a range of it. Throws FileMissing. */
  read(key: FileKey, range?: ByteRange): AsyncIterable<Uint8Array>;
  /** Opens a file to be read at any position. Throws FileMissing. */
  open(key: FileKey): Promise<OpenFile>;
  /** Names a file for another thread of this process, which reads it with `openShared`. */
  share(key: FileKey): SharedFile;
  /** Removes one file of a fragment, and no other that came for it. */
  removeFile(key: FileKey): Promise<void>;
  /** Removes every file of a fragment, also what is still coming. */
  remove(id: string): Promise<void>;
  /**
   * Removes what broken uploads left, and never an upload that goes on in this process. Of other processes, it removes uploads to
   * which nothing was written since `before`; null removes all of them, for callers who know that there is no other process.
   */
  sweep(before: Date | null): Promise<void>;
}

export interface FileKey {
  /** Of the fragment. */
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
  /** Removes what was received; does nothing once it was kept. */
  drop(): Promise<void>;
}

export interface OpenFile {
  /** Reads so many bytes from a position on; fewer at the end of the file. */
  read(position: number, length: number): Promise<Buffer>;
  close(): Promise<void>;
}

/** Can be sent to another thread. Only the module that it names reads `where`. */
export interface SharedFile {
  /** The URL of a module that exports `openHere`, as `SharedFileModule` has it. */
  readonly module: string;
  readonly where: unknown;
}

export interface SharedFileModule {
  /** Throws FileMissing. */
  openHere(where: unknown): Promise<BlockingFile>;
}

/** A file that is read in a thread of its own, where waiting for it holds up nobody. */
export interface BlockingFile {
  readonly sizeBytes: number;
  /** Fills `bytes` from a position on. Returns how many there were: fewer at the end of the file. */
  read(position: number, bytes: Uint8Array): number;
  close(): void;
}

/** Opens what another thread shared. Throws FileMissing. */
export async function openShared({ module, where }: SharedFile): Promise<BlockingFile> {
  const { openHere }: SharedFileModule = await import(module);
  return openHere(where);
}

/** The upload had more bytes than were allowed or announced. */
export class TooManyBytes extends Error {
  readonly allowed: number;
  /** How many had come when it was seen; how many would have come is not known. */
  readonly received: number;
  constructor(allowed: number, received: number) {
    super(`More than ${allowed} bytes came.`);
    this.allowed = allowed;
    this.received = received;
  }
}

/** The fragment was removed while its bytes came. */
export class RemovedMeanwhile extends Error {}

/** There is no file with this key. */
export class FileMissing extends Error {}
