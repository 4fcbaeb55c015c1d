/** The thread that validates settings. If something takes too long, it is ended from outside. */
import { parentPort } from 'node:worker_threads';
import { type SchemaOutcome, type SchemaProblem, SchemaUnusable } from '../domain/core/schemas.ts';
import { compileSchema, type Judge } from './validator.ts';

export interface Question {
  readonly schema: string;
  readonly settings: string;
}

/**
 * The first message says that the thread has started. Each later one answers the pending question.
 */
export type Told =
  | { readonly kind: 'ready' }
  | { readonly kind: 'judged'; readonly outcome: string }
  | { readonly kind: 'unusable'; readonly message: string; readonly problems: readonly SchemaProblem[] }
  | { readonly kind: 'failed'; readonly message: string };

/** Compiling takes milliseconds, and an application's jobs come in large numbers. */
const MOST_COMPILED = 64;
/** Characters of the compiled schemas. The compiled form is some twenty times as large. */
const MOST_CHARACTERS = 2_000_000;
const compiled = new Map<string, Judge>();

/** The least recently used is dropped first. */
function judgeOf(schema: string): Judge {
  const judge = compiled.get(schema) ?? compileSchema(JSON.parse(schema));
  compiled.delete(schema);
  compiled.set(schema, judge);
  let characters = [...compiled.keys()].reduce((sum, { length }) => sum + length, 0);
  for (const oldest of compiled.keys()) {
    if (compiled.size <= MOST_COMPILED && characters <= MOST_CHARACTERS) break;
    compiled.delete(oldest);
    characters -= oldest.length;
  }
  return judge;
}

function answer({ schema, settings }: Question): Told {
  try {
    const outcome: SchemaOutcome = judgeOf(schema)(JSON.parse(settings));
    return { kind: 'judged', outcome: JSON.stringify(outcome) };
  } catch (error) {
    if (error instanceof SchemaUnusable) return { kind: 'unusable', message: error.message, problems: error.problems };
    if (error instanceof RangeError)
      return { kind: 'unusable', message: 'cannot be checked against the schema: it refers to itself endlessly.', problems: [] };
    return { kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

const port = parentPort;
if (!port) throw new Error('This file runs only in a worker thread.');
port.on('message', (question: Question) => port.postMessage(answer(question)));
port.postMessage({ kind: 'ready' } satisfies Told);
