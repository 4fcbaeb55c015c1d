import type { Readable } from 'node:stream';

/** Where a command writes, its environment, and what stops it. */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Of commands that pass it on. Undefined: there is nothing to read. */
  readonly stdin?: (() => Readable) | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C, or with a BrokenPipe as its reason. */
  readonly signal: AbortSignal;
}

/** process.stdout, or anything like it. */
export interface Output {
  write(text: string | Uint8Array): boolean;
  once(event: 'drain' | 'close' | 'error', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** The command line, or a file that it names, is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Why a command stops when the reader of its output is gone. */
export class BrokenPipe extends Error {
  override readonly name = 'BrokenPipe';
}

/** Exit codes, for scripts. */
export const exitCodes = {
  succeeded: 0,
  failed: 1,
  /** Usage, input or key refused. */
  refused: 2,
  cancelled: 3,
  unreachable: 4,
  /** A bug of this program. */
  fault: 70,
  interrupted: 130,
  /** The reader of the pipe is gone (`| head`). */
  brokenPipe: 141,
} as const;

/**
 * Writes, and waits until the output has drained: a long log must not pile up in memory before a
 * slow pipe.
 */
export async function print(output: Output, text: string | Uint8Array): Promise<void> {
  if (output.write(text)) return;
  await new Promise<void>((resolve) => {
    output.once('drain', resolve);
    output.once('close', resolve);
    output.once('error', resolve);
  });
}

/** Prints one JSON document. */
export function printJson(io: Io, value: unknown): Promise<void> {
  return print(io.stdout, `${toJson(value, io.stdout.isTTY ? 2 : undefined)}\n`);
}

/**
 * JSON without anything that a terminal would obey: escapes the control characters that JSON leaves
 * alone.
 */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
