/**
 * A job file: a CreateJobInput in YAML or JSON. `project`, `application` and `experiment` (name or id) may stand in place of projectId, applicationId and
 * experimentId; labels, requiredLabels, env and items may be mappings. What it may hold is read off schema.graphql, so that a field that the gateway takes is never refused here.
 */
import { readFile } from 'node:fs/promises';
import {
  buildSchema,
  coerceInputValue,
  GraphQLError,
  type GraphQLInputType,
  type GraphQLScalarType,
  isInputObjectType,
  isScalarType,
} from 'graphql';
import { parseDocument } from 'yaml';
import type { CreateJobInput } from '../client/generated.ts';
import { UsageError } from './io.ts';

/** What a job file says, and which project, application and experiment it names. */
export interface JobFile {
  readonly project?: string;
  readonly application?: string;
  readonly experiment?: string;
  readonly input: Omit<CreateJobInput, 'projectId'> & { readonly projectId?: string };
}

type Mapping = Record<string, unknown>;

const schemaFile = new URL('../../schema.graphql', import.meta.url);

/**
 * Reads a job file; `-` is standard input.
 * @throws UsageError with a line for each thing that is wrong, which names the field.
 */
export async function readJobFile(path: string): Promise<JobFile> {
  const name = path === '-' ? 'standard input' : path;
  const text = path === '-' ? await readStdin() : await readText(path);
  const document = parseDocument(text, { prettyErrors: true });
  const [error] = document.errors;
  if (error !== undefined) throw new UsageError(`${name}: ${error.message}`);
  return checkJob(document.toJS({ maxAliasCount: 100 }), name);
}

/** Checks what was read as a job. `source` is what the messages call it. */
export async function checkJob(value: unknown, source: string): Promise<JobFile> {
  if (!isMapping(value)) throw new UsageError(`${source}: a job is a mapping of fields (name, steps, …), not ${describe(value)}.`);
  const { project, application, experiment, ...fields } = value;
  const named = {
    ...(project !== undefined && { project: readName(project, `${source}: project`) }),
    ...(application !== undefined && { application: readName(application, `${source}: application`) }),
    ...(experiment !== undefined && { experiment: readName(experiment, `${source}: experiment`) }),
  };
  const problems: string[] = [];
  // Any id will do here: whether there is one, and which, is decided later. So is the name of a job that its application may lend one.
  const input = { projectId: 'proj_', ...(named.application !== undefined && { name: '' }), ...(normalize(fields) as Mapping) };
  const coerced: unknown = coerceInputValue(input, await inputType(), (at, invalid, error) => {
    problems.push(`${source}: ${describeProblem(at, invalid, error)}`);
  });
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  // It passed the check against the type that CreateJobInput was generated from. Defaults that the check fills in do no harm.
  const { projectId, ...job } = coerced as CreateJobInput;
  return { ...named, input: { ...job, ...(fields.projectId !== undefined && { projectId }) } };
}

function readName(value: unknown, place: string): string {
  if (typeof value === 'string') return value;
  throw new UsageError(`${place}: takes a name or an id, not ${describe(value)}.`);
}

async function inputType(): Promise<GraphQLInputType> {
  const schema = buildSchema(await readFile(schemaFile, 'utf8'));
  const objects = schema.getType('JSONObject');
  if (isScalarType(objects)) takeOnlyMappings(objects);
  const type = schema.getType('CreateJobInput');
  if (!isInputObjectType(type)) throw new Error('schema.graphql has no CreateJobInput.');
  return type;
}

/** A scalar of a schema that is made from text takes anything. */
function takeOnlyMappings(scalar: GraphQLScalarType): void {
  scalar.parseValue = (value) => {
    if (!isMapping(value)) throw new GraphQLError(`takes a mapping, not ${describe(value)}.`);
    return value;
  };
}

/** Fields that hold documents of the user's own: nothing in them is ours to rewrite. */
const documents = new Set(['settings', 'properties', 'value', 'settingsOverrides']);

/** Mappings where the API has lists of pairs, and numbers where it has text. */
function normalize(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normalize);
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, normalizeField(key, inner)]));
}

function normalizeField(key: string, value: unknown): unknown {
  if (documents.has(key)) return value;
  if (key === 'labels' || key === 'requiredLabels') return asPairs(value, 'key');
  if (key === 'env') return asPairs(value, 'name');
  if (key === 'items')
    return asPairs(value, 'name').map((item) => (isMapping(item) ? withText(withText(item, 'value'), 'defaultValue') : item));
  return normalize(value);
}

function asPairs(value: unknown, nameOfKey: 'key' | 'name'): unknown[] {
  const pairs = isMapping(value) ? Object.entries(value).map(([key, inner]) => ({ [nameOfKey]: key, value: inner })) : value;
  // Not a list either: the check says so, with the field's name.
  if (!Array.isArray(pairs)) return [pairs];
  return pairs.map((pair) => (isMapping(pair) ? withText(pair, 'value') : pair));
}

function withText(mapping: Mapping, key: string): Mapping {
  const value = mapping[key];
  if (value === undefined || value === null || typeof value === 'string') return mapping;
  return { ...mapping, [key]: JSON.stringify(value) };
}

function describeProblem(at: readonly (string | number)[], invalid: unknown, error: GraphQLError): string {
  const place = at.length === 0 ? '' : `${at.join('.')}: `;
  const unknown = /^Field "(.*?)" is not defined by type "(.*?)"\.(.*)$/s.exec(error.message);
  if (unknown !== null) return `${place}there is no field "${unknown[1]}".${unknown[3]}`;
  const missing = /^Field "(.*?)" of required type "(.*?)" was not provided\.$/.exec(error.message);
  if (missing !== null) return `${place}"${missing[1]}" is missing (${missing[2]}).`;
  const mistyped = /^Expected type "(.*?)"\.(.*)$/s.exec(error.message);
  if (mistyped !== null) return `${place}${(mistyped[2] ?? '').trim() || `takes ${mistyped[1]}, not ${describe(invalid)}.`}`;
  return `${place}${error.message}`;
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a mapping' : JSON.stringify(value);
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function readStdin(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) text += chunk;
  return text;
}
