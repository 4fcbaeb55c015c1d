/** The architecture and the house style, as far as a program can check them. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Import {
  readonly file: string;
  /** A file, relative to the project's folder, or the name of a package. */
  readonly target: string;
  readonly isTypeOnly: boolean;
}

function filesUnder(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name) && !name.includes('node_modules'))
    .map((name) => join(folder, name))
    .sort();
}

const read = (file: string) => readFileSync(join(root, file), 'utf8');
const sources = filesUnder('src');
/** Written by codegen, so nobody reads or edits them. */
const generated = [
  'src/client/error-code.ts',
  'src/client/generated.ts',
  'src/console/generated.ts',
  'src/server/documents/python-documents.ts',
  'test/systems/generated.ts',
];

const IMPORT = /^\s*(?:import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'|^\s*import\s+()'([^']+)'|\bimport\(()'([^']+)'\)/gm;

function importsOf(file: string): Import[] {
  return [...read(file).matchAll(IMPORT)].map((match) => {
    const name = match[2] ?? match[4] ?? match[6] ?? '';
    const target = name.startsWith('.') ? relative(root, join(root, dirname(file), name)) : name;
    return { file, target, isTypeOnly: match[1] !== undefined };
  });
}

const imports = sources.flatMap(importsOf);
const folderOf = (path: string) => /^src\/(?:([^/]+)\/)?/.exec(path)?.[1] ?? (path.startsWith('src/') ? 'top' : null);
/** The circles in a graph. */
function circlesOf(nodes: readonly string[], next: (node: string) => Iterable<string>): string[] {
  const state = new Map<string, 'open' | 'done'>();
  const circles: string[] = [];
  const walk = (node: string, path: readonly string[]): void => {
    if (state.get(node) === 'open') circles.push([...path.slice(path.indexOf(node)), node].join(' → '));
    if (state.has(node)) return;
    state.set(node, 'open');
    for (const one of next(node)) walk(one, [...path, node]);
    state.set(node, 'done');
  };
  for (const node of nodes) walk(node, []);
  return circles;
}

const show = ({ file, target }: Import) => `${file} → ${target}`;

/**
 * The folders that each folder may import from, besides itself. `types` allows only `import type`.
 */
const arrows: Readonly<Record<string, { readonly values: readonly string[]; readonly types?: readonly string[] }>> = {
  instruments: { values: [] },
  text: { values: [] },
  timing: { values: [] },
  tunnel: { values: [] },
  store: { values: ['instruments', 'text', 'timing'], types: ['domain'] },
  domain: { values: ['instruments', 'text', 'timing', 'store'], types: ['realtime'] },
  realtime: { values: ['instruments', 'domain', 'store'] },
  backup: { values: ['store'] },
  'json-schema': { values: ['domain'] },
  aggregator: { values: ['instruments', 'text', 'domain', 'store'] },
  schema: { values: ['text', 'realtime', 'domain', 'store'] },
  server: { values: ['text', 'tunnel', 'instruments', 'schema', 'realtime', 'domain', 'store'] },
  telemetry: { values: ['instruments', 'server', 'schema', 'realtime', 'domain', 'store'] },
  client: { values: ['text', 'timing'] },
  agent: { values: ['text', 'timing', 'tunnel', 'client'] },
  cli: { values: ['text', 'timing', 'tunnel', 'client', 'agent'] },
  console: { values: ['text', 'client'] },
  commands: { values: ['top', 'text', 'timing', 'config', 'telemetry', 'server', 'backup', 'domain', 'store', 'client', 'agent', 'cli'] },
  config: { values: ['text', 'server', 'schema', 'realtime', 'domain', 'store'] },
};

/** The subjects of the domain, in order: each may import from those before it. */
const subjects: readonly string[] = [
  'core',
  'access',
  'logs',
  'steps',
  'files',
  'federation',
  'jobs',
  'rounds',
  'preemption',
  'claims',
  'sweep',
];

/**
 * Vocabulary and rules that need no database. They import nothing of the project, so that the store
 * can derive its CHECKs from them.
 */
const shared = ['src/domain/core/ids.ts', 'src/domain/core/lifecycle.ts', 'src/domain/core/vocabulary.ts'];

/** Where the files of the package are. Every folder may import it. */
const installation = 'src/installation.ts';

describe('The imports between the folders', () => {
  test('every folder of src is listed in the arrows', () => {
    expect(sources.map(folderOf).filter((folder) => folder !== 'top' && !(folder !== null && folder in arrows))).toEqual([]);
  });

  test.each(Object.entries(arrows))('src/%s imports only from the folders that its arrows list', (folder, { values, types = [] }) => {
    const wrong = imports.filter(({ file, target, isTypeOnly }) => {
      const to = folderOf(target);
      if (folderOf(file) !== folder || to === null || to === folder) return false;
      if (values.includes(to) || (isTypeOnly && types.includes(to))) return false;
      return target !== installation && !(folder === 'store' && shared.includes(target));
    });
    expect(wrong.map(show)).toEqual([]);
  });

  test('the files that folders share import nothing of the project', () => {
    expect(imports.filter(({ file, target }) => [...shared, installation].includes(file) && target.startsWith('src/')).map(show)).toEqual(
      [],
    );
  });

  test('a subject of the domain imports only from the subjects before it', () => {
    const subjectOf = (path: string) => /^src\/domain\/([^/]+)\//.exec(path)?.[1];
    const domain = sources.filter((file) => file.startsWith('src/domain/'));
    expect(domain.filter((file) => !subjects.includes(subjectOf(file) ?? ''))).toEqual([]);
    const wrong = imports.filter(({ file, target, isTypeOnly }) => {
      const [from, to] = [subjectOf(file), subjectOf(target)];
      if (from === undefined || to === undefined || subjects.indexOf(to) <= subjects.indexOf(from)) return false;
      return !(isTypeOnly && target === 'src/domain/access/principal.ts');
    });
    expect(wrong.map(show)).toEqual([]);
  });

  // A parent's own files are shared by its folders, or put them together, so they do not count.
  test('sibling folders do not import each other in a circle', () => {
    const edges = new Map<string, Set<string>>();
    for (const { file, target, isTypeOnly } of imports) {
      const [from, to] = [dirname(file), dirname(target)];
      if (isTypeOnly || shared.includes(target) || !target.startsWith('src/') || from === to) continue;
      if (from.startsWith(`${to}/`) || to.startsWith(`${from}/`)) continue;
      edges.set(from, (edges.get(from) ?? new Set()).add(to));
    }
    expect(circlesOf([...edges.keys()], (folder) => edges.get(folder) ?? [])).toEqual([]);
  });

  test('only the store imports a database driver', () => {
    const drivers = /^(drizzle-orm|drizzle-kit|pg|better-sqlite3)(\/|$)/;
    expect(imports.filter(({ file, target }) => drivers.test(target) && folderOf(file) !== 'store').map(show)).toEqual([]);
  });

  test('store, domain and realtime do not import GraphQL', () => {
    const wrong = imports.filter(
      ({ file, target }) => /^(graphql|@pothos|dataloader)/.test(target) && ['store', 'domain', 'realtime'].includes(folderOf(file) ?? ''),
    );
    expect(wrong.map(show)).toEqual([]);
  });

  test('the chaos tests, except the nemesis, know the gateway only as clients do', () => {
    const wrong = filesUnder('test/chaos')
      .filter((file) => !file.startsWith('test/chaos/nemesis/') && !file.endsWith('.test.ts'))
      .flatMap(importsOf)
      .filter(({ target }) => target.startsWith('src/') && !/^src\/(client|timing)\//.test(target));
    expect(wrong.map(show)).toEqual([]);
  });

  /** What a file needs of Node, itself or through the files that it imports. */
  const neededOfNode = (entry: string): string[] => {
    const files = new Set([entry]);
    const found: string[] = [];
    for (const file of files)
      for (const one of imports.filter((other) => other.file === file && !other.isTypeOnly)) {
        if (one.target.startsWith('src/')) files.add(one.target);
        else if (/^node:|^ws$/.test(one.target)) found.push(show(one));
      }
    return found;
  };

  test('the client works in a browser: only src/client/node needs Node', () => {
    const entries = ['index', 'preact', 'react'].map((name) => `src/client/${name}.ts`);
    expect(entries.flatMap(neededOfNode)).toEqual([]);
    expect(neededOfNode('src/client/node/subscribe.ts')).toEqual(['src/client/node/subscribe.ts → ws']);
    // Through another file.
    expect(neededOfNode('src/agent/watch.ts')).toEqual(['src/client/node/subscribe.ts → ws']);
  });

  test('no file imports src/main.ts', () => {
    expect(imports.filter(({ target }) => target === 'src/main.ts').map(show)).toEqual([]);
  });

  test('no file imports itself through others', () => {
    const targets = new Map(sources.map((file) => [file, imports.filter((one) => one.file === file && !one.isTypeOnly)]));
    expect(circlesOf(sources, (file) => (targets.get(file) ?? []).map(({ target }) => target))).toEqual([]);
  });
});

describe('The house style', () => {
  const written = [...sources, ...filesUnder('test'), ...filesUnder('scripts'), ...filesUnder('bench'), ...filesUnder('examples')].filter(
    (file) => !generated.includes(file) && !file.includes('__generated__'),
  );

  /** Longer files, each with its reason. */
  const long: Readonly<Record<string, string>> = {
    'test/e2e/rights.test.ts': 'one table: what each kind of key may do',
  };

  test('a file has at most 350 lines', () => {
    const tooLong = written.filter((file) => !(file in long) && read(file).split('\n').length > 351);
    expect(tooLong).toEqual([]);
  });

  /** Words that only this project understood. src/domain/README.md has those in use. */
  const givenUp: readonly (readonly [RegExp, string])[] = [
    [/errand|standInLine/i, 'nudge, wait queue'],
    [/attendance|comeBack|setRight/i, 'clock guard, recover'],
    [/setback|\bchores?\b|isResting/i, 'retry, task, backing off'],
    [/happening/i, 'transition; event'],
    [/victim|leavePlace/i, 'candidate, eviction'],
    [/\bcompany\b|isOnlyUp/i, 'local'],
    [/\bPortable[A-Z]|\bstretch(es)?\b|\bLoading\b|adoptingStatements/, 'backup format, range, restore, identity'],
    [/\bmeters\b|\b(Server|Store|Domain)Meters\b/, 'instruments'],
    [/AnswerRoom|readPlainly|upkeep|standInLine/i, 'response budget, bare field, commands, wait queue'],
    [/\bOrders\b|\bordersOf/, 'directives'],
    [/^type Optional\b/m, 'the one in src/store/optional.ts'],
  ];

  test('a word that was given up is not used again', () => {
    const own = new Set(['test/architecture.test.ts']);
    const found = written.flatMap((file) =>
      own.has(file) ? [] : givenUp.filter(([word]) => word.test(read(file))).map(([word, now]) => `${file}: ${word}, say ${now}`),
    );
    expect(found).toEqual([]);
  });

  test('a line of a comment has at most 100 columns', () => {
    const isProse = /^\s*(\/\*\*?|\*|\/\/)\s/;
    const wide = written.flatMap((file) =>
      read(file)
        .split('\n')
        .flatMap((line, i) => (isProse.test(line) && line.length > 100 && !/https?:/.test(line) ? [`${file}:${i + 1}`] : [])),
    );
    expect(wide).toEqual([]);
  });

  test('a file is named after what it is about', () => {
    expect(written.filter((file) => /(^|[/.-])(utils?|helpers?|common|misc)[/.-]|\/types\.ts$/.test(file))).toEqual([]);
  });

  test('a file is named in lower case, words joined by hyphens', () => {
    expect(written.filter((file) => /[A-Z]|_/.test(file))).toEqual([]);
  });

  test('no name says Manager, Service or Handler', () => {
    const named = /\b(?:class|interface|function|const)\s+(\w*(?:Manager|Service|Handler|Helper|Util))\b/g;
    expect(written.flatMap((file) => [...read(file).matchAll(named)].map(([, name]) => `${file}: ${name}`))).toEqual([]);
  });

  test('src exports by name', () => {
    expect(sources.filter((file) => /^export default\b|\bas default\b/m.test(read(file)))).toEqual([]);
  });

  test('a refusal is worded in the catalogue, src/domain/core/refusals.ts and request-refusals.ts', () => {
    const catalogue = ['src/domain/core/refusals.ts', 'src/domain/core/request-refusals.ts'];
    /** Where several problems of one input are collected, or one is not of a request. */
    const collected: Readonly<Record<string, string>> = {
      'src/domain/access/key-rotation.ts': 'problems of the setting TRAINYARD_ADMIN_KEY, which end a start',
      'src/domain/claims/claims.ts': 'every reason why a device may not claim a step, from matching.ts',
      'src/domain/core/checks.ts': 'what the input alone shows',
      'src/domain/core/text.ts': 'every text of the input that is not well formed',
      'src/domain/rounds/submissions.ts': 'every finding in a submitted model, from models.ts',
    };
    const gateway = sources.filter((file) => !/^src\/(client|cli|agent)\//.test(file));
    const wording = (names: RegExp) => gateway.filter((file) => names.test(read(file)));
    expect(wording(/\bnew (?:InvalidState|AlreadyExists|RequestRefused)\(/)).toEqual(catalogue);
    expect(wording(/\bnew InvalidInput\(/)).toEqual([...Object.keys(collected), 'src/domain/core/refusals.ts'].sort());
  });

  test('the gateway reads the environment in one place', () => {
    const readers = sources.filter((file) => /\bprocess\.env\b/.test(read(file)));
    expect(readers.filter((file) => !/^src\/initial-memory\.ts$|^src\/(agent|cli|client)\//.test(file))).toEqual([]);
  });

  test('time and randomness come into the domain in one place', () => {
    const places = ['src/domain/core/clock.ts', 'src/domain/core/domain.ts'];
    const wrong = sources.filter(
      (file) =>
        file.startsWith('src/domain/') &&
        !places.includes(file) &&
        /\bDate\.now\(|new Date\(\)|Math\.random|\bsetTimeout\(|\brandomBytes\(/.test(read(file)),
    );
    expect(wrong).toEqual([]);
  });
});
