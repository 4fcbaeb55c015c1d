/**
 * How much one answer may hold, as far as its cost cannot say (server/cost.ts): long texts and documents count as nothing there, and a list without
 * pages as what there usually is. What is longer takes from one allowance, the limit `answerBytes`, when it is read.
 */
import { type GraphQLField, type GraphQLFieldResolver, type GraphQLSchema, getNamedType, isObjectType } from 'graphql';
import { RequestRefused } from '../../domain/core/refusals.ts';
import type { Context } from './context.ts';
import type { Size } from './sizes.ts';

/** What is shorter is not counted: an answer's cost bounds how much of it there is. */
const LONG_CHARACTERS = 1_024;
/** What an entry of a list takes that goes beyond what was priced: a row in memory, and its answer. */
const ENTRY_CHARACTERS = 1_024;
/** Of a number, true, false or null in a document, with the sign beside it: what one takes more or less is no matter. */
const PLAIN_CHARACTERS = 8;

/** The answer would hold more than is allowed. */
class AnswerTooLarge extends RequestRefused {
  readonly allowed: number;
  constructor(allowed: number) {
    super(
      'LIMIT_EXCEEDED',
      `The long texts, documents and lists of one answer may have ${allowed} characters together. Ask for smaller pages, or for fewer of them.`,
    );
    this.allowed = allowed;
  }
  override get extensions() {
    return { ...super.extensions, limit: 'answerBytes', allowed: this.allowed, asked: null };
  }
}

/** What one answer may hold still. Mutations of one operation share it, as their answers are one. */
export class AnswerRoom {
  readonly #allowed: number;
  readonly #lend: (bytes: number) => void;
  readonly #charge: (characters: number) => void;
  #left: number;
  #held = 0;

  /** `lend` takes from what may be in memory for all answers, and throws where there is no more. `charge` is told what was read. */
  constructor(allowed: number, lend: (bytes: number) => void = () => {}, charge: (characters: number) => void = () => {}) {
    this.#allowed = allowed;
    this.#lend = lend;
    this.#charge = charge;
    this.#left = allowed;
  }

  /**
   * To be called before so many bytes are read: what was read for other fields of the answer is in memory as well, though none of it may be told yet.
   * Throws LIMIT_EXCEEDED.
   */
  hold(bytes: number): void {
    this.#held += bytes;
    if (this.#held > this.#allowed) throw new AnswerTooLarge(this.#allowed);
    this.#lend(bytes);
  }

  /** Takes so many characters, or throws LIMIT_EXCEEDED: then nothing more is to be had, so that what waits for its turn is not read in vain. */
  take(characters: number): void {
    this.#left -= characters;
    this.#charge(characters);
    this.requireSome();
  }

  requireSome(): void {
    if (this.#left < 0) throw new AnswerTooLarge(this.#allowed);
  }
}

/** Texts that may be longer than a message. */
const texts: ReadonlySet<string> = new Set([
  'Fragment.text',
  'JobItem.defaultValue',
  'JobItem.value',
  'LogChunk.text',
  'Step.logTail',
  'Tensor.name',
]);
const documents: ReadonlySet<string> = new Set(['JSON', 'JSONObject']);

/** Has every field that may hold much take from the answer's room. */
export function countLongValues(schema: GraphQLSchema): GraphQLSchema {
  const known = new Set<string>();
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      const coordinate = `${type.name}.${field.name}`;
      if (texts.has(coordinate)) count(field, charactersOf);
      else if (documents.has(getNamedType(field.type).name)) count(field, charactersOf);
      else countEntries(field);
      known.add(coordinate);
    }
  }
  const unknown = [...texts].filter((coordinate) => !known.has(coordinate));
  if (unknown.length > 0) throw new Error(`src/schema/core/response-budget.ts names fields that are not there: ${unknown.join(', ')}.`);
  return schema;
}

/** Of lists that are read by themselves. What is read with its row is as long as its input was allowed to be. */
function countEntries(field: GraphQLField<unknown, Context>): void {
  const size = field.extensions.size as Size | undefined; // as schema/core/sizes.ts put it there
  if (!size || !field.resolve || size.by.length > 0 || size.usually <= 1) return;
  count(field, (list) => (Array.isArray(list) ? (list.length - size.usually) * ENTRY_CHARACTERS : 0));
}

function count(field: GraphQLField<unknown, Context>, measure: (value: unknown) => number): void {
  const behind: GraphQLFieldResolver<unknown, Context> =
    field.resolve ?? ((source) => (source as Readonly<Record<string, unknown>>)[field.name]); // readPlainly says that it is a plain property
  const { isPlain: _, ...extensions } = field.extensions;
  field.extensions = extensions;
  field.resolve = (source, args, context, info) => {
    context.room.requireSome();
    const value = behind(source, args, context, info);
    const take = (found: unknown) => {
      const characters = measure(found);
      if (characters > LONG_CHARACTERS) context.room.take(characters);
      return found;
    };
    return value instanceof Promise ? value.then(take) : take(value);
  };
}

/** Of a text, or of a document as JSON, more or less. Without recursion: a document may be nested deeper than the stack. */
function charactersOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  let characters = 0;
  const open = [value];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next === 'string') characters += next.length + PLAIN_CHARACTERS;
    else if (Array.isArray(next)) for (const entry of next) open.push(entry);
    else if (typeof next === 'object' && next !== null) {
      for (const [name, entry] of Object.entries(next)) {
        characters += name.length;
        open.push(entry);
      }
    } else characters += PLAIN_CHARACTERS;
  }
  return characters;
}
