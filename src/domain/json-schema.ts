/**
 * JSON Schema, as applications describe the settings of their jobs: draft-07, 2019-09 and 2020-12.
 *
 * A schema comes from users, and so do the patterns, the references and the lists of unique items in it, each of which can keep a validator busy for
 * hours. All work with one is therefore ended after a second, wherever it stands: V8 can stop what it runs, a matching pattern included.
 */
import { createContext, Script } from 'node:vm';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { fillDefaults, type Place, unknownKeys, withoutClosing } from './settings-schema.ts';

type Schema = Record<string, unknown>;

/** One thing that is wrong, and where: keys from the top of what was checked. */
export interface SchemaProblem {
  readonly place: Place;
  readonly message: string;
}

/** What becomes of settings under a schema. */
export interface SchemaOutcome {
  /** Where a default was put in. */
  readonly defaults: readonly Place[];
  /** The keys that the schema does not know, the highest of each. */
  readonly unknown: readonly Place[];
  readonly problems: readonly SchemaProblem[];
}

export interface CompiledSchema {
  /** Puts the schema's defaults into the settings, and judges them. A key that the schema does not know is not a problem, even where it says so. */
  apply(settings: Record<string, unknown>): SchemaOutcome;
}

/** The schema cannot be worked with; the message says why. */
export class SchemaUnusable extends Error {
  readonly problems: readonly SchemaProblem[];
  constructor(message: string, problems: readonly SchemaProblem[] = []) {
    super(message);
    this.problems = problems;
  }
}

const LONGEST_MS = 1_000;
/** Of one check: who has more to mend starts with these. */
const MOST_PROBLEMS = 50;
/** Compiling costs milliseconds, and the jobs of an application come in numbers. */
const MOST_COMPILED = 64;

const dialects = {
  'draft-07': Ajv,
  '2019-09': Ajv2019,
  '2020-12': Ajv2020,
} as const;

const compiled = new Map<string, CompiledSchema>();

/** Throws SchemaUnusable. */
export function compileSchema(schema: Schema): CompiledSchema {
  const text = JSON.stringify(schema);
  const known = compiled.get(text);
  // What was used last is thrown away last.
  compiled.delete(text);
  const result = known ?? within(() => compile(schema));
  compiled.set(text, result);
  for (const oldest of compiled.keys()) {
    if (compiled.size <= MOST_COMPILED) break;
    compiled.delete(oldest);
  }
  return result;
}

function compile(schema: Schema): CompiledSchema {
  const judge = validatorOf(schema);
  let lenient: ValidateFunction | undefined;
  return {
    apply: (settings) =>
      within(() => {
        const defaults = fillDefaults(schema, settings);
        const outcome = { defaults, unknown: unknownKeys(schema, settings), problems: [] };
        if (judge(settings)) return outcome;
        // Once more without what closes objects to keys that it does not name: they are warned of.
        lenient ??= validatorOf(withoutClosing(schema));
        return lenient(settings) ? outcome : { ...outcome, problems: problemsOf(lenient.errors ?? []) };
      }),
  };
}

function validatorOf({ $schema, ...schema }: Schema): ValidateFunction {
  if (schema.$async === true) throw new SchemaUnusable('must not be asynchronous.');
  // Patterns and formats that a schema of another tool brings along are no reason to refuse it, so nothing is strict.
  const ajv = new dialects[dialectOf($schema)]({ strict: false, allErrors: true, inlineRefs: false, validateSchema: false, logger: false });
  formats.default(ajv);
  if (!ajv.validateSchema(schema)) throw new SchemaUnusable('is not a JSON Schema.', problemsOf(ajv.errors ?? []));
  try {
    return ajv.compile(schema);
  } catch (error) {
    // What is right in itself and still of no use: a reference to nowhere, a pattern that cannot be read.
    throw error instanceof Error && isOurs(error) ? new SchemaUnusable(`cannot be used: ${error.message}.`) : error;
  }
}

/** Of ajv or of the pattern compiler, and about the schema; being stopped and running out of stack are neither. */
const isOurs = (error: Error): boolean => error instanceof SyntaxError || error.constructor === Error || 'missingRef' in error;

function dialectOf($schema: unknown): keyof typeof dialects {
  if ($schema === undefined) return '2020-12';
  const names = Object.keys(dialects) as (keyof typeof dialects)[]; // keys of the literal above
  const named = names.find((name) => typeof $schema === 'string' && $schema.includes(name));
  if (named) return named;
  throw new SchemaUnusable(`is of a dialect that is not known here; known are ${names.join(', ')}.`);
}

function problemsOf(errors: readonly ErrorObject[]): SchemaProblem[] {
  // Of alternatives that all fail, that they do is said, and not what each of them says.
  const choices = errors.filter(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf').map(({ schemaPath }) => `${schemaPath}/`);
  const own = errors.filter(({ schemaPath }) => !choices.some((choice) => schemaPath.startsWith(choice)));
  const problems = new Map(own.map(problemOf).map((problem) => [JSON.stringify(problem), problem]));
  return [...problems.values()].slice(0, MOST_PROBLEMS);
}

function problemOf({ instancePath, keyword, params, message = 'is wrong' }: ErrorObject): SchemaProblem {
  const place = instancePath
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (typeof params.missingProperty === 'string') {
    const why = keyword === 'required' ? '' : ` beside ${String(params.property)}`;
    return { place: [...place, params.missingProperty], message: `is needed${why}.` };
  }
  if (keyword === 'enum') return { place, message: `must be one of ${listOf(params.allowedValues)}.` };
  if (keyword === 'const') return { place, message: `must be ${JSON.stringify(params.allowedValue)}.` };
  if (keyword === 'false schema') return { place, message: 'must not be given.' };
  return { place, message: `${message}.` };
}

function listOf(values: unknown): string {
  const words = Array.isArray(values) ? values.map((value) => JSON.stringify(value)) : [];
  return words.length > 20 ? `${words.slice(0, 20).join(', ')} …` : words.join(', ');
}

const room = createContext({ work: null });
const script = new Script('work()');

/** Runs `work` for a second at most: what takes longer is stopped in the middle. Costs about 0.2 ms. */
function within<T>(work: () => T): T {
  let result: { readonly value: T } | undefined;
  room.work = () => {
    result = { value: work() };
  };
  try {
    script.runInContext(room, { timeout: LONGEST_MS });
  } catch (error) {
    // Whose Error it is depends on where Node made it, so it is told by its code.
    if (Object(error).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') {
      throw new SchemaUnusable('took too long to check against the schema: its patterns or its references ask for too much.');
    }
    if (error instanceof RangeError) throw new SchemaUnusable('cannot be checked against the schema: it refers to itself without an end.');
    throw error;
  } finally {
    room.work = null;
  }
  if (!result) throw new Error('What ran to its end has a result.');
  return result.value;
}
