/**
 * Writes docs/promises.md: each promise with the tests that prove it.
 *
 *   node scripts/promises-page.ts           writes the page
 *   node scripts/promises-page.ts --check   fails if the page is out of date
 *
 * Both fail if a promise has no test, or if a test names an unknown promise.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { markdownTable } from './markdown-table.ts';
import { type PromiseName, promises } from './promises.ts';

const top = new URL('../', import.meta.url);
const page = new URL('docs/promises.md', top);

/** A test file, its first comment, and the titles in it that name a promise. */
interface TestFile {
  readonly path: string;
  readonly about: string | null;
  readonly titles: readonly string[];
}

const NAMED = /\((P\d+(?:, P\d+)*)\)/g;
const HEADER = /^\/\*\*?([\s\S]*?)\*\//;
/** A string on one line. In a test file, a string that ends with promise names is a title. */
const STRING = /'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\\n]|\\.)*)`/g;

/** The line with the title of a describe or a test. That of an `each` may end its table. */
const TITLED = /^ *(?:(?:test|describe).*?|\]\))\((['"`])((?:[^\\]|\\.)*?)\1, /;

const namedIn = (text: string): string[] => [...text.matchAll(NAMED)].flatMap(([, names = '']) => names.split(', '));
/** As a sentence. Placeholders of values become an ellipsis. */
const withoutNames = (text: string): string =>
  text
    .replaceAll(NAMED, '')
    .replace(/\$\{[^}]*\}|%[sdij]|\$[a-z]+/gi, '…')
    .replace(/\s+/g, ' ')
    .replace(/ ([.,:;])/g, '$1')
    .trim();

function readTests(path: string): TestFile {
  const source = readFileSync(new URL(path, top), 'utf8');
  const header =
    HEADER.exec(source)?.[1]
      ?.replace(/\n \* ?/g, ' ')
      .trim() ?? null;
  return { path, about: header !== null && namedIn(header).length > 0 ? header : null, titles: [...titlesIn(source)] };
}

/**
 * The titles that name a promise, or whose describe does. One that does not begin a sentence
 * follows those of its describes.
 */
function* titlesIn(source: string): Generator<string> {
  let open: { readonly indent: number; readonly title: string }[] = [];
  let isTest = false;
  for (const line of source.split('\n')) {
    const indent = line.search(/\S/);
    if (/^ *(\}|\)|\]|test|describe)/.test(line)) open = open.filter((one) => one.indent < indent);
    isTest = /^ *test\b/.test(line) || (isTest && !/^ *describe/.test(line));
    const titled = TITLED.exec(line)?.[2];
    const describes = open.map((one) => one.title);
    const own = [...line.matchAll(STRING)].map(([, single, double, template]) => unescaped(single ?? double ?? template ?? ''));
    if (titled !== undefined && !isTest) open = [...open, { indent, title: unescaped(titled) }];
    else if (titled !== undefined && namedIn(describes.join(' ')).length > 0) yield [...describes, unescaped(titled)].join(' › ');
    else
      for (const title of own.filter((text) => namedIn(text).length > 0))
        yield (/^[A-Z]/.test(title) ? [title] : [...describes, title]).join(' › ');
  }
}

const unescaped = (text: string): string => text.replace(/\\(.)/g, '$1');

const paths = readdirSync(new URL('test/', top), { recursive: true, encoding: 'utf8' });
const files = paths
  .filter((path) => path.endsWith('.test.ts'))
  .sort()
  .map((path) => readTests(`test/${path}`));

const unknown = files.flatMap(({ path, about, titles }) =>
  [about ?? '', ...titles]
    .flatMap(namedIn)
    .filter((name) => !Object.hasOwn(promises, name))
    .map((name) => `${path} names ${name}, which is not a promise.`),
);

function testsOf(name: PromiseName): string[] {
  return files.flatMap(({ path, about, titles }) => {
    const isWhole = about !== null && namedIn(about).includes(name);
    const own = titles.filter((title) => namedIn(title).includes(name));
    if (!isWhole && own.length === 0) return [];
    const link = `[${path}](../${path})`;
    return [`- ${link}${isWhole ? `: ${withoutNames(about)}` : ''}`, ...own.map((title) => `  - ${withoutNames(title)}`)];
  });
}

const names = Object.keys(promises) as PromiseName[]; // keys of a literal
const untested = names.filter((name) => testsOf(name).length === 0).map((name) => `${name} has no test that names it.`);

const text = [
  '<!-- Written by `npm run promises` from scripts/promises.ts and the titles of the tests. -->',
  '# What Trainyard promises',
  '',
  ...markdownTable(
    ['', 'promise'],
    names.map((name) => [
      `[${name} ${promises[name][0]}](#${name.toLowerCase()}-${promises[name][0].replaceAll(' ', '-')})`,
      promises[name][1],
    ]),
  ),
  '',
  'The tests below name the promise that they prove, in their title or for their whole file. `npm test` runs them, except files that end in `.long.test.ts`, which `npm run test:long` runs.',
  '[test/chaos](../test/chaos/README.md) has clients that record every answer, and a checker that compares their records with what is stored in the end.',
  ...names.flatMap((name) => ['', `## ${name} ${promises[name][0]}`, '', promises[name][1], '', ...testsOf(name)]),
  '',
].join('\n');

const wrong = [...unknown, ...untested];
for (const line of wrong) console.error(line);
if (process.argv.includes('--check')) {
  if (text !== readFileSync(page, 'utf8')) {
    console.error('docs/promises.md does not match the tests: run `npm run promises`.');
    wrong.push('');
  }
} else writeFileSync(page, text);
if (wrong.length > 0) process.exitCode = 1;
