/**
 * Writes docs/job.schema.json, the JSON Schema of job files, for editors and other programs. It is
 * made from CreateJobInput in schema.graphql, by which the command line reads job files.
 *
 *   node scripts/job-schema.ts            writes the file
 *   node scripts/job-schema.ts --check    fails if it is out of date
 */
import { readFile, writeFile } from 'node:fs/promises';
import {
  type GraphQLInputObjectType,
  type GraphQLInputType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
} from 'graphql';
import { pairKeyOf } from '../src/cli/input/inputs.ts';
import { inputType, namesOfFile } from '../src/cli/input/jobfile.ts';

type Json = Record<string, unknown>;

const file = new URL('../docs/job.schema.json', import.meta.url);

/** A text field takes a number or a boolean, too, and keeps it as it is written. */
const text: Json = { type: ['string', 'number', 'boolean'] };

const scalars: Readonly<Record<string, Json>> = {
  Int: { type: 'integer' },
  ByteCount: { type: 'integer' },
  Float: { type: 'number' },
  Boolean: { type: 'boolean' },
  JSON: {},
  JSONObject: { type: 'object' },
};

const definitions = new Map<string, Json>();

/** The type of a field. Null counts as left out, unless the field is required. */
function schemaOf(type: GraphQLInputType): Json {
  const inner = getNullableType(type);
  const said = schemaOfGiven(inner);
  if (isNonNullType(type)) return said === text ? { type: [...(text.type as string[]), 'null'] } : said; // its type is a list
  return Object.keys(said).length === 0 ? said : { anyOf: [said, { type: 'null' }] };
}

function schemaOfGiven(type: GraphQLInputType): Json {
  if (isListType(type)) return schemaOfList(type, type.ofType);
  if (isInputObjectType(type)) return define(type);
  if (isEnumType(type)) return { enum: type.getValues().map(({ name }) => name) };
  return scalars[String(type)] ?? text;
}

function schemaOfList(type: GraphQLInputType, entry: GraphQLInputType): Json {
  const list = { type: 'array', items: schemaOf(entry) };
  const pairKey = pairKeyOf(type);
  const object = getNullableType(entry);
  if (pairKey === undefined || !isInputObjectType(object)) return list;
  const { value } = object.getFields();
  if (value === undefined) return list;
  const rest = { ...objectOf(object, new Set([pairKey])), description: 'The rest of the entry.' };
  // An item's value may be JSON, which is sent as text.
  const values = object.name === 'JobItemInput' ? {} : { anyOf: [schemaOf(value.type), rest] };
  return { anyOf: [list, { type: 'object', description: `A mapping of ${pairKey} to value.`, additionalProperties: values }] };
}

function define(type: GraphQLInputObjectType): Json {
  if (!definitions.has(type.name)) {
    definitions.set(type.name, {});
    definitions.set(type.name, objectOf(type, new Set()));
  }
  return { $ref: `#/definitions/${type.name}` };
}

function objectOf(type: GraphQLInputObjectType, left: ReadonlySet<string>): Json {
  const fields = Object.values(type.getFields()).filter(({ name }) => !left.has(name));
  const required = fields.filter((field) => isNonNullType(field.type) && field.defaultValue === undefined).map(({ name }) => name);
  return {
    type: 'object',
    ...(type.description && { description: type.description }),
    properties: Object.fromEntries(fields.map((field) => [field.name, { description: field.description, ...schemaOf(field.type) }])),
    ...(required.length > 0 && { required }),
    ...(type.isOneOf && { minProperties: 1, maxProperties: 1 }),
    additionalProperties: false,
  };
}

async function print(): Promise<string> {
  const job = objectOf(await inputType('CreateJobInput'), new Set());
  const names = namesOfFile.map((name) => [name, { ...text, description: `The ${name}, by name or id.` }]);
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'A job file of Trainyard',
    ...job,
    properties: { ...Object.fromEntries(names), ...(job.properties as Json) }, // made above
    // The command line has a default project, and an application gives the job its name.
    required: undefined,
    anyOf: [{ required: ['name'] }, { required: ['application'] }],
    patternProperties: { '^x-': { description: "The file's own: to be used with anchors." } },
    definitions: Object.fromEntries([...definitions].sort(([a], [b]) => a.localeCompare(b))),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

const printed = await print();
if (!process.argv.includes('--check')) await writeFile(file, printed);
else if ((await readFile(file, 'utf8').catch(() => '')) !== printed) {
  console.error('docs/job.schema.json does not match schema.graphql: run `npm run schema`.');
  process.exitCode = 1;
}
