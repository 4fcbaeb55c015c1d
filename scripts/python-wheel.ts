/**
 * Builds dist/python/trainyard-VERSION-py3-none-any.whl, which the gateway serves at /python/.
 *
 * A wheel is a zip with metadata, so no Python and no network is needed. The same sources give the
 * same bytes.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { crc32, deflateRawSync } from 'node:zlib';
import manifest from '../package.json' with { type: 'json' };

const python = new URL('../python/', import.meta.url);
const sources = new URL('src/trainyard/', python);
const folder = new URL('../dist/python/', import.meta.url);

interface Entry {
  readonly name: string;
  readonly content: Buffer;
}

/** Writes the wheel. Another version's, of an earlier build, is removed. */
export function buildWheel(): void {
  const name = `trainyard-${manifest.version}-py3-none-any.whl`;
  mkdirSync(folder, { recursive: true });
  for (const other of readdirSync(folder)) if (other.endsWith('.whl') && other !== name) rmSync(new URL(other, folder));
  // Whole or not at all: a gateway may be serving it.
  const part = new URL(`${name}.${process.pid}.part`, folder);
  writeFileSync(part, zip(wheelEntries()));
  renameSync(part, new URL(name, folder));
}

function wheelEntries(): Entry[] {
  const info = `trainyard-${manifest.version}.dist-info`;
  const files = readdirSync(sources, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(py|typed)$/.test(name))
    .sort()
    .map((name) => ({ name: `trainyard/${name.replaceAll('\\', '/')}`, content: readFileSync(new URL(name, sources)) }));
  const entries = [
    ...files,
    { name: `${info}/METADATA`, content: Buffer.from(metadata()) },
    { name: `${info}/WHEEL`, content: Buffer.from('Wheel-Version: 1.0\nGenerator: trainyard\nRoot-Is-Purelib: true\nTag: py3-none-any\n') },
  ];
  const lines = entries.map(({ name, content }) => {
    const hash = createHash('sha256').update(content).digest('base64url');
    return `${name},sha256=${hash},${content.length}\n`;
  });
  // The record has no hash of itself.
  return [...entries, { name: `${info}/RECORD`, content: Buffer.from(`${lines.join('')}${info}/RECORD,,\n`) }];
}

/** What pyproject.toml says, as a wheel says it. */
function metadata(): string {
  const project = readFileSync(new URL('pyproject.toml', python), 'utf8');
  const text = (key: string) => new RegExp(`^${key} = "(.*)"$`, 'm').exec(project)?.[1] ?? missing(key);
  const list = (key: string) =>
    [...(new RegExp(`^${key} = \\[([^\\]]*)\\]`, 'm').exec(project)?.[1] ?? missing(key)).matchAll(/"([^"]*)"/g)].map(
      ([, value]) => value ?? '',
    );
  const extras = ['numpy', 'torch'].flatMap((extra) => [
    `Provides-Extra: ${extra}`,
    ...list(extra).map((requirement) => `Requires-Dist: ${requirement}; extra == "${extra}"`),
  ]);
  const fields = [
    'Metadata-Version: 2.1',
    `Name: ${text('name')}`,
    `Version: ${manifest.version}`,
    `Summary: ${text('description')}`,
    `License: ${text('license')}`,
    ...list('classifiers').map((each) => `Classifier: ${each}`),
    `Requires-Python: ${text('requires-python')}`,
    ...extras,
    'Description-Content-Type: text/markdown',
  ];
  return `${fields.join('\n')}\n\n${readFileSync(new URL('README.md', python), 'utf8')}`;
}

function missing(key: string): never {
  throw new Error(`python/pyproject.toml has no ${key}.`);
}

/** The first time that a zip can tell: 1 January 1980. */
const DATE = 0x0021;

function zip(entries: readonly Entry[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content } of entries) {
    const bytes = Buffer.from(name);
    const packed = deflateRawSync(content, { level: 9 });
    // From the version that is needed to the length of the extra field: the same in both headers.
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0);
    shared.writeUInt16LE(0x0800, 2); // the name is UTF-8
    shared.writeUInt16LE(8, 4); // deflate
    shared.writeUInt16LE(DATE, 8);
    shared.writeUInt32LE(crc32(content), 10);
    shared.writeUInt32LE(packed.length, 14);
    shared.writeUInt32LE(content.length, 18);
    shared.writeUInt16LE(bytes.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), shared, bytes, packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(0o100644 * 0x10000, 6); // a plain file that everybody may read
    rest.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x03', 'latin1'), shared, rest, bytes]));
    parts.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}
