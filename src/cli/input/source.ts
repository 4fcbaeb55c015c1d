/**
 * Parses a YAML or JSON file, keeping each text as written and each position for messages.
 *
 * YAML's own types are not applied here: `010` stays text with a position, and its meaning is
 * decided where it is used. This is YAML 1.2 with merge keys (`<<`). What the gateway would not
 * receive unchanged (binary, other tools' tags, duplicate keys) is refused.
 */
import { isUtf8 } from 'node:buffer';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml';
import { UsageError } from '../io.ts';

/** More than the gateway takes (1 MB a request), with room for comments. */
const MOST_BYTES = 4_194_304;

/** A value of the file, with aliases resolved. */
export type SourceNode = Exclude<Node, Alias>;

/** One entry of a mapping. `at` is its key's position. */
export interface SourceEntry {
  readonly key: string;
  readonly at: number;
  readonly value: SourceNode | null;
}

/** A parsed file with one document. */
export interface Source {
  readonly root: SourceNode | null;
  /** Prefixes a message with the position: `job.yaml:3:7: …`. */
  wrong(at: number | SourceNode | null, message: string): string;
  /** A mapping's entries, including those merged in by `<<`. */
  entriesOf(map: YAMLMap): readonly SourceEntry[];
  /** The node itself, or an alias's target. */
  follow(value: unknown): SourceNode | null;
}

/** Tags of YAML's core schema, which do not change what is written. */
const knownTags = new Set(['!', ...['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`)]);

/**
 * Characters that YAML forbids: control characters except tab and line breaks, and a carriage
 * return inside a line.
 */
const unprintable = /[^\P{Cc}\t\n\r\u0085]|\r(?!\n)|[\ufffe\uffff]/u;

/**
 * Reads a file. `-` is standard input.
 * @throws UsageError that names the file, and the line if there is one.
 */
export async function readSource(path: string): Promise<Source> {
  const name = path === '-' ? 'standard input' : path;
  const bytes = await readBytes(path, name);
  if (bytes.length > MOST_BYTES) throw new UsageError(`${name} is larger than ${MOST_BYTES} bytes.`);
  return parseSource(decode(bytes, name), name);
}

/** Parses a text. Messages call it `name`. */
export function parseSource(text: string, name: string): Source {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false });
  const wrong: Source['wrong'] = (at, message) => {
    const { line, col } = lines.linePos(typeof at === 'number' ? at : placeOf(at));
    return `${name}:${line}:${col}: ${message}`;
  };
  const refuse = (at: number, message: string) => {
    throw new UsageError(wrong(at, message));
  };
  const bad = unprintable.exec(text);
  if (bad) refuse(bad.index, `control character ${codeOf(bad[0])}; write it as an escape in double quotes.`);
  const [error] = document.errors;
  if (error?.code === 'MULTIPLE_DOCS') refuse(error.pos[0], 'a second document begins here, but a file may have only one.');
  if (error?.code === 'RESOURCE_EXHAUSTION') refuse(error.pos[0], 'nested too deeply to be read.');
  if (error) refuse(error.pos[0], `${error.message.replace(/\.$/, '')}.`);
  const { yaml } = document.directives ?? {};
  if (yaml?.explicit && yaml.version !== '1.2') refuse(0, `files are read as YAML 1.2, not YAML ${yaml.version}.`);
  return new YamlSource(document, wrong);
}

class YamlSource implements Source {
  readonly root: SourceNode | null;
  readonly wrong: Source['wrong'];
  readonly #targets = new Map<Alias, SourceNode>();

  constructor(document: Document, wrong: Source['wrong']) {
    this.wrong = wrong;
    this.#checkNodes(document);
    visit(document, { Map: (_, map) => this.#checkKeys(map) });
    this.root = this.follow(document.contents);
  }

  follow(value: unknown): SourceNode | null {
    if (!isNode(value)) return null;
    return isAlias(value) ? (this.#targets.get(value) ?? null) : value;
  }

  entriesOf(map: YAMLMap): readonly SourceEntry[] {
    const entries = new Map<string, SourceEntry>();
    this.#collect(map, entries, new Set());
    return [...entries.values()];
  }

  /** Own entries win over merged ones, and an earlier merge wins over a later one. */
  #collect(map: YAMLMap, entries: Map<string, SourceEntry>, merged: Set<YAMLMap>): void {
    merged.add(map);
    const parts: YAMLMap[] = [];
    for (const { key, value } of map.items) {
      if (isMergeKey(key)) {
        parts.push(...this.#partsOf(placeOf(key), value));
        continue;
      }
      const text = textOf(this.follow(key));
      if (text !== null && !entries.has(text)) entries.set(text, { key: text, at: placeOf(key), value: this.follow(value) });
    }
    for (const part of parts) if (!merged.has(part)) this.#collect(part, entries, merged);
  }

  /** The mappings that a merge key refers to. */
  #partsOf(at: number, value: unknown): YAMLMap[] {
    const target = this.follow(value);
    const parts = isSeq(target) ? target.items.map((item) => this.follow(item)) : [target];
    return parts.map((part) => {
      if (!isMap(part)) throw new UsageError(this.wrong(at, '"<<" takes a mapping or a list of mappings.'));
      return part;
    });
  }

  /**
   * Resolves each alias to the nearest anchor of its name before it, and refuses tags that would
   * change what is written.
   */
  #checkNodes(document: Document): void {
    const anchors = new Map<string, SourceNode>();
    visit(document, {
      Alias: (_, alias) => {
        const target = anchors.get(alias.source);
        if (!target) throw new UsageError(this.wrong(placeOf(alias), `there is no "&${alias.source}" before this.`));
        this.#targets.set(alias, target);
      },
      Value: (_, value) => {
        if (value.tag !== undefined && !knownTags.has(value.tag)) {
          const tag = value.tag.replace('tag:yaml.org,2002:', '!!');
          throw new UsageError(this.wrong(value, `values with the tag ${tag} are not supported; write it as text.`));
        }
        if (value.anchor) anchors.set(value.anchor, value);
      },
    });
    const [warning] = document.warnings;
    if (warning) throw new UsageError(this.wrong(warning.pos[0], `${warning.message}.`));
  }

  /** Refuses keys that are not text, and duplicate keys. */
  #checkKeys(map: YAMLMap): void {
    const seen = new Set<string>();
    for (const { key, value } of map.items) {
      if (isMergeKey(key)) continue;
      const node = this.follow(key);
      const text = textOf(node);
      const at = placeOf(isNode(key) ? key : value);
      if (text === null) throw new UsageError(this.wrong(at, 'a key must be text, not a list or a mapping.'));
      if (text === '' && isNothing(node)) throw new UsageError(this.wrong(at, 'a key is missing before the colon.'));
      if (seen.has(text)) throw new UsageError(this.wrong(at, `the key "${text}" appears twice in this mapping.`));
      seen.add(text);
    }
  }
}

/** Whether the value is null: omitted, `~` or `null`. */
export function isNothing(node: SourceNode | null): boolean {
  return node === null || (isScalar(node) && node.value === null && isBare(node));
}

/** An unquoted value, whose type YAML would guess. */
export function isBare(node: SourceNode | null): boolean {
  return isScalar(node) && node.type === 'PLAIN' && node.tag !== 'tag:yaml.org,2002:str' && node.tag !== '!';
}

/** A scalar's text as written, without quotes. Null for a list or a mapping. */
export function textOf(node: SourceNode | null): string | null {
  if (node === null) return '';
  if (!isScalar(node)) return null;
  return node.type === 'PLAIN' ? (node.source ?? '') : String(node.value);
}

const placeOf = (node: unknown): number => (isNode(node) ? (node.range?.[0] ?? 0) : 0);

const isMergeKey = (key: unknown): boolean => isScalar(key) && key.type === 'PLAIN' && key.source === '<<';

function decode(bytes: Buffer, name: string): string {
  if (isUtf8(bytes)) return new TextDecoder('utf-8').decode(bytes);
  const isUtf16 = /^(\xff\xfe|\xfe\xff)/.test(bytes.subarray(0, 2).toString('latin1'));
  // Line by line: no byte of a multi-byte character is a line feed.
  const lines = bytes.toString('latin1').split('\n');
  const index = lines.findIndex((line) => !isUtf8(Buffer.from(line, 'latin1')));
  const column =
    Buffer.from(lines[index] ?? '', 'latin1')
      .toString('utf8')
      .indexOf('\ufffd') + 1;
  throw new UsageError(`${name}:${index + 1}:${column}: the file is not UTF-8${isUtf16 ? ' but UTF-16' : ''}; save it as UTF-8.`);
}

async function readBytes(path: string, name: string): Promise<Buffer> {
  try {
    if (path === '-') return await readStart(process.stdin);
    await using file = await open(path);
    return await readStart(file.createReadStream());
  } catch (error) {
    throw new UsageError(`${name} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Reads a little more than the limit at most, because the file may be an endless device. */
async function readStart(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MOST_BYTES) break;
  }
  return Buffer.concat(chunks);
}

const codeOf = (character: string): string => `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
