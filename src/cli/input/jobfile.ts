/**
 * A job file: a CreateJobInput in YAML or JSON. `project`, `application` and `experiment` (name or id) may stand in place of projectId, applicationId
 * and experimentId; labels, requiredLabels, env and items may be mappings; what begins with `x-` at the top is the file's own, to be used with anchors.
 * What it may hold is read off schema.graphql, so that a field that the gateway takes is never refused here. docs/job-file.md tells users of it.
 */
import { readFile } from 'node:fs/promises';
import { buildSchema, type GraphQLInputObjectType, type GraphQLSchema, isInputObjectType } from 'graphql';
import { isMap, type YAMLMap } from 'yaml';
import type { CreateApplicationInput, CreateJobInput } from '../../client/generated.ts';
import { UsageError } from '../io.ts';
import { readInput } from './inputs.ts';
import { readSource, type Source, type SourceEntry, textOf } from './source.ts';

/** What a job file says, and which project, application and experiment it names. */
export interface JobFile {
  readonly project?: string;
  readonly application?: string;
  readonly experiment?: string;
  readonly input: Omit<CreateJobInput, 'projectId'> & { readonly projectId?: string };
  /** Where the file says what stands at this path of the input, or the deepest of it: `job.yaml:3:7: settings.lr`. Undefined: it says nothing of it. */
  placeOf(path: readonly string[]): string | undefined;
}

/** Stand in for an id: what they name is looked up. */
export const namesOfFile = ['project', 'application', 'experiment'] as const;

const schemaFile = new URL('../../../schema.graphql', import.meta.url);

/**
 * Reads a job file; `-` is standard input.
 * @throws UsageError with a line for each thing that is wrong, which names its place and its field.
 */
export async function readJobFile(path: string): Promise<JobFile> {
  return readJob(await readSource(path));
}

/** Reads a job out of a file. */
export async function readJob(source: Source): Promise<JobFile> {
  const { root } = source;
  if (!isMap(root)) throw new UsageError(source.wrong(root, 'a job is a mapping of fields (name, steps, …).'));
  const entries = fieldsOf(source, root);
  const named = Object.fromEntries(entries.filter(isName).map((entry) => [entry.key, readName(source, entry)]));
  // Whether there is a project, and which, is decided later. So is the name of a job that its application may lend one.
  const given = new Set(['projectId', ...(named.application === undefined ? [] : ['name'])]);
  const fields = entries.filter((entry) => !isName(entry));
  const { value, placeOf } = read(source, await inputType('CreateJobInput'), fields, given);
  // It passed the check against the type that CreateJobInput was generated from; a name that may be left out is empty.
  const input = { name: '', ...value } as JobFile['input'];
  return { ...named, input, placeOf };
}

/** An application's file: a CreateApplicationInput. */
export async function readApplicationFile(path: string): Promise<Pick<JobFile, 'placeOf'> & { readonly input: CreateApplicationInput }> {
  const source = await readSource(path);
  const { root } = source;
  if (!isMap(root)) throw new UsageError(source.wrong(root, 'an application is a mapping of fields (name, itemDefinitions, …).'));
  const { value, placeOf } = read(source, await inputType('CreateApplicationInput'), fieldsOf(source, root), new Set());
  return { input: value as CreateApplicationInput, placeOf }; // it passed the check against that type
}

/** The entries of a file but those that are its own. */
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

const isName = ({ key }: SourceEntry): boolean => (namesOfFile as readonly string[]).includes(key); // a wider list to search in

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
