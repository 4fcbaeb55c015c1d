/**
 * Validates by JSON Schema, with which applications describe the settings of their jobs: draft-07,
 * 2019-09 and 2020-12. Runs in its own thread (threads.ts), because users write the schemas, and
 * their patterns, references and lists of unique items can keep a validator busy.
 */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { type SchemaOutcome, type SchemaProblem, SchemaUnusable } from '../domain/core/schemas.ts';
import { fillDefaults, unknownKeys, withoutClosing } from './defaults.ts';
import { compilePattern } from './patterns.ts';

type Schema = Record<string, unknown>;

/** Fills in the schema's defaults and validates the settings. */
export type Judge = (settings: Record<string, unknown>) => SchemaOutcome;

/** The most problems that one check reports. */
const MOST_PROBLEMS = 50;

const dialects = {
  'draft-07': Ajv,
  '2019-09': Ajv2019,
  '2020-12': Ajv2020,
} as const;

/** Throws SchemaUnusable, like the function it returns. */
export function compileSchema(schema: Schema): Judge {
  const judge = validatorOf(schema);
  let lenient: ValidateFunction | undefined;
  return (settings) => {
    const defaults = fillDefaults(schema, settings);
    const outcome = { settings, defaults, unknown: unknownKeys(schema, settings), problems: [] };
    if (judge(settings)) return outcome;
    // Again without closing objects to unknown keys: those are only warned of.
    lenient ??= validatorOf(withoutClosing(schema));
    return lenient(settings) ? outcome : { ...outcome, problems: problemsOf(lenient.errors ?? []) };
  };
}

function validatorOf({ $schema, ...schema }: Schema): ValidateFunction {
  if (schema.$async === true) throw new SchemaUnusable('must not be asynchronous.');
  // Nothing is strict, because another tool's formats and keywords are no reason to refuse a
  // schema.
  const ajv = new dialects[dialectOf($schema)]({
    ...{ strict: false, allErrors: true, inlineRefs: false, validateSchema: false, logger: false },
    code: { regExp: compilePattern },
  });
  formats.default(ajv);
  if (!ajv.validateSchema(schema)) throw new SchemaUnusable('is not a JSON Schema.', problemsOf(ajv.errors ?? []));
  try {
    return ajv.compile(schema);
  } catch (error) {
    // A valid schema that cannot be used: a reference to nowhere, an unreadable pattern.
    throw error instanceof Error && isOurs(error) ? new SchemaUnusable(`cannot be used: ${error.message}.`) : error;
  }
}

/**
 * Errors of ajv or the pattern compiler about the schema. Being stopped and running out of stack
 * are neither.
 */
const isOurs = (error: Error): boolean => error instanceof SyntaxError || error.constructor === Error || 'missingRef' in error;

function dialectOf($schema: unknown): keyof typeof dialects {
  if ($schema === undefined) return '2020-12';
  const names = Object.keys(dialects) as (keyof typeof dialects)[]; // keys of the literal above
  const named = names.find((name) => typeof $schema === 'string' && $schema.includes(name));
  if (named) return named;
  throw new SchemaUnusable(`has an unknown dialect. Known are ${names.join(', ')}.`);
}

function problemsOf(errors: readonly ErrorObject[]): SchemaProblem[] {
  // If all alternatives fail, report that, and not what each of them says.
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
