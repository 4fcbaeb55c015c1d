import { readFileSync } from 'node:fs';
import { normalizeId } from './persisted.ts';

/**
 * A list of trusted documents that cannot be used. The message tells the operator what is wrong.
 */
export class ManifestUnusable extends Error {}

/**
 * Reads a list of trusted documents in the formats that clients' own tools write:
 *
 *     Apollo   generate-persisted-query-manifest:
 *              {"format": "apollo-persisted-query-manifest", "operations": [{"id", "body"}]}
 *     Relay    persistConfig.file of relay-compiler: {"id": "document"}
 *     others   persistedDocuments of graphql-codegen's client preset, gql.tada:
 *              {"hash": "document"}
 *
 * The ids are as normalizeId writes them. Throws ManifestUnusable.
 */
export function readManifest(path: string): ReadonlyMap<string, string> {
  const documents = new Map<string, string>();
  for (const [id, text] of readEntries(path)) {
    const known = documents.get(normalizeId(id));
    if (known !== undefined && known !== text) throw new ManifestUnusable(`${path} has two documents with the id ${JSON.stringify(id)}.`);
    documents.set(normalizeId(id), text);
  }
  if (documents.size === 0) throw new ManifestUnusable(`${path} has no documents.`);
  return documents;
}

type Entry = readonly [id: string, text: string];

function readEntries(path: string): readonly Entry[] {
  let source: string;
  let value: unknown;
  try {
    // Some editors put a byte order mark before a file.
    source = readFileSync(path, 'utf8').replace(/^\ufeff/, '');
    value = JSON.parse(source);
  } catch (error) {
    throw new ManifestUnusable(`${path} cannot be read as JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!(value instanceof Object) || Array.isArray(value)) throw new ManifestUnusable(`${path} must be a JSON object.`);
  return pairsOf(source) ?? entriesOf(value, path);
}

/**
 * The pairs of a JSON object whose values are all strings. Null for any other JSON. JSON.parse
 * keeps only the last of several pairs with one id.
 */
function pairsOf(json: string): readonly Entry[] | null {
  const strings: string[] = [];
  let between = '';
  let at = 0;
  for (let start = json.indexOf('"'); start >= 0; start = json.indexOf('"', at)) {
    between += json.slice(at, start);
    at = endOfString(json, start);
    strings.push(String(JSON.parse(json.slice(start, at))));
  }
  between += json.slice(at);
  const entries = strings.flatMap((text, i) => (i % 2 === 0 ? [] : [[strings[i - 1] ?? '', text] as const]));
  return between.replaceAll(/\s/g, '') === `{${entries.map(() => ':').join(',')}}` ? entries : null;
}

/**
 * The end of the string of valid JSON that starts at `start`. A regular expression would overflow
 * its stack on long strings.
 */
function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at + 1;
}

function entriesOf(manifest: object, path: string): readonly Entry[] {
  if (!('operations' in manifest && Array.isArray(manifest.operations))) {
    return Object.entries(manifest).map(([id, text]) => {
      if (typeof text === 'string') return [id, text];
      throw new ManifestUnusable(`${path}: the document ${JSON.stringify(id)} must be a text.`);
    });
  }
  return manifest.operations.map((operation: unknown, i) => {
    if (operation instanceof Object && 'id' in operation && 'body' in operation) {
      const { id, body } = operation;
      if (typeof id === 'string' && typeof body === 'string') return [id, body];
    }
    throw new ManifestUnusable(`${path}: operations[${i}] must have an id and a body, each a text.`);
  });
}
