/**
 * Reads a job file: a CreateJobInput in YAML or JSON, with shorthands.
 *
 * `project`, `application` and `experiment` (name or id) may replace projectId, applicationId and
 * experimentId. labels, requiredLabels, env and items may be mappings. Top-level keys that begin
 * with `x-` are ignored, for use with anchors. The allowed fields come from schema.graphql, so no
 * field that the gateway takes is refused here. docs/job-file.md is the user's page.
 */
import { readFile } from 'node:fs/promises';
import { buildSchema, type GraphQLInputObjectType, type GraphQLSchema, isInputObjectType } from 'graphql';
import { isMap, type YAMLMap } from 'yaml';
import type { CreateApplicationInput, CreateJobInput } from '../../client/generated.ts';
import { fileOfPackage } from '../../installation.ts';
import { UsageError } from '../io.ts';
import { readInput } from './inputs.ts';
import { readSource, type Source, type SourceEntry, textOf } from './source.ts';

/** A job file's input, and the project, application and experiment that it names. */
export interface JobFile {
  readonly project?: string;
  readonly application?: string;
  readonly experiment?: string;
  readonly input: Omit<CreateJobInput, 'projectId'> & { readonly projectId?: string };
  /**
   * The position in the file of the value at this path of the input, or of its nearest parent:
   * `job.yaml:3:7: settings.lr`. Undefined if the file has neither.
   */
  placeOf(path: readonly string[]): string | undefined;
}

/** Names in place of ids, looked up later. */
export const namesOfFile = ['project', 'application', 'experiment'] as const;

const schemaFile = fileOfPackage('schema.graphql');

/**
 * Reads a job file. `-` is standard input.
 * @throws UsageError with one line for each problem, naming its position and field.
 */
export async function readJobFile(path: string): Promise<JobFile> {
  return readJob(await readSource(path));
}

/** Reads a job from a parsed file. */
export async function readJob(source: Source): Promise<JobFile> {
  const { root } = source;
  if (!isMap(root)) throw new UsageError(source.wrong(root, 'a job must be a mapping of fields (name, steps, …).'));
  const entries = fieldsOf(source, root);
  const named = Object.fromEntries(entries.filter(isName).map((entry) => [entry.key, readName(source, entry)]));
  // The project is resolved later, and so is a name that may come from the application.
  const given = new Set(['projectId', ...(named.application === undefined ? [] : ['name'])]);
  const fields = entries.filter((entry) => !isName(entry));
  const { value, placeOf } = read(source, await inputType('CreateJobInput'), fields, given);
  // It was checked against the type that CreateJobInput was generated from. An omitted name is
  // empty.
  const input = { name: '', ...value } as JobFile['input'];
  return { ...named, input, placeOf };
}

/** Reads an application file: a CreateApplicationInput. */
export async function readApplicationFile(path: string): Promise<Pick<JobFile, 'placeOf'> & { readonly input: CreateApplicationInput }> {
  const source = await readSource(path);
  const { root } = source;
  if (!isMap(root)) throw new UsageError(source.wrong(root, 'an application must be a mapping of fields (name, itemDefinitions, …).'));
  const { value, placeOf } = read(source, await inputType('CreateApplicationInput'), fieldsOf(source, root), new Set());
  return { input: value as CreateApplicationInput, placeOf }; // checked against that type
}

/** The file's entries without its `x-` keys. */
const fieldsOf = (source: Source, root: YAMLMap) => source.entriesOf(root).filter(({ key }) => !key.startsWith('x-'));

function read(source: Source, type: GraphQLInputObjectType, fields: readonly SourceEntry[], given: ReadonlySet<string>) {
  const { value, problems, places } = readInput(source, type, fields, given);
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  const placeOf: JobFile['placeOf'] = (path) => {
    const prefixes = path.map((_, i) => path.slice(0, path.length - i).join('.'));
    const place = prefixes.map((prefix) => places.get(prefix)).find((at) => at !== undefined);
    return place === undefined ? undefined : source.wrong(place, path.join('.'));
  };
  return { value, placeOf };
}

const isName = ({ key }: SourceEntry): boolean => (namesOfFile as readonly string[]).includes(key); // widened to be searched

function readName(source: Source, { key, value, at }: SourceEntry): string {
  const text = textOf(value);
  if (text) return text;
  throw new UsageError(source.wrong(value ?? at, `${key}: takes a name or an id.`));
}

/** An input type of the API, by name. */
export async function inputType(name: string): Promise<GraphQLInputObjectType> {
  schema ??= readFile(schemaFile, 'utf8').then((text) => buildSchema(text));
  const type = (await schema).getType(name);
  if (!isInputObjectType(type)) throw new Error(`schema.graphql has no input ${name}.`);
  return type;
}

let schema: Promise<GraphQLSchema> | undefined;
