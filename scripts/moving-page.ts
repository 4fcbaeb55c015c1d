/**
 * Writes docs/moving, a page for each system and an index, from the operations in test/systems and
 * from what test/python/compat says of scripts that run unchanged. The pages show the operations
 * that the tests send.
 *
 *   node scripts/moving-page.ts           writes the pages
 *   node scripts/moving-page.ts --check   fails if a page is out of date
 *
 * Both fail if an operation does not fit schema.graphql, if no test uses it, or if a row of a page
 * has no test named after it.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { buildSchema, concatAST, type GraphQLSchema, getVariableValues, Kind, validate } from 'graphql';
import { jobStatuses } from '../src/domain/core/lifecycle.ts';
import { type Dialect, dialects, nativeStatus } from '../src/domain/jobs/native-status.ts';
import { markdownTable } from './markdown-table.ts';
import { type OperationFile, readOperationFile, type ShownOperation } from './operation-files.ts';

const top = new URL('../', import.meta.url);
const pages = new URL('docs/moving/', top);
const read = (path: string) => readFileSync(new URL(path, top), 'utf8');
const operationsIn = (name: string) => new URL(`test/systems/operations/${name}.graphql`, top);

/** In the order of the index, with the number of rows of each. */
const systems = { vergeai: 7, seeme: 7, neuromation: 8, mlcycle: 9, brevettiai: 5 } as const;
const refusalFile = readFileSync(operationsIn('refusal'), 'utf8').trim();
const refusal = ['Refusal'];
const statuses = readOperationFile(operationsIn('statuses'), refusal);
const files = Object.keys(systems).map((name) => ({ name, file: readOperationFile(operationsIn(name), refusal) }));

const spoken: Readonly<Record<Dialect, string>> = { VERGEAI: 'vergeai', SEEME: 'SeeMe', NEUROMATION: 'neuromation', MLCYCLE: 'mlcycle' };

const MADE = '<!-- Made by `npm run moving` from test/systems/operations and test/python/compat. Do not edit. -->';

const code = (text: string) => `\`${text}\``;
const graphql = (text: string) => ['```graphql', text, '```', ''];

function showOperation({ call, remarks, variables, text, newFragments, knownFragments }: ShownOperation): string[] {
  const known = knownFragments.length > 0 ? [`(${knownFragments.map(code).join(', ')}: as above.)`, ''] : [];
  const example = variables ? ['```json', JSON.stringify(JSON.parse(variables), null, 2), '```', ''] : [];
  return [
    ...[`## ${call.replace(/^[a-z](?=[a-z]* )/, (letter) => letter.toUpperCase())}`, '', ...(remarks.length > 0 ? [...remarks, ''] : [])],
    ...[...graphql([text, ...newFragments].join('\n\n')), ...known, ...example],
  ];
}

/** How a script of the system runs as it is, from the file with the blocks that its test runs. */
function showScripts(name: string): string[] {
  const text = read(`test/python/compat/documents/${name}.md`);
  const section = (title: string) => new RegExp(`^## ${title}\\n\\n([\\s\\S]*?)\\n+^## `, 'm').exec(text)?.[1] ?? '';
  const command = [
    'export TRAINYARD_URL=http://127.0.0.1:4000 TRAINYARD_TOKEN=tyk_…',
    `python -m trainyard.compat ${name} their_script.py`,
  ];
  return [
    ...['## Your script, unchanged', '', '```sh', ...command, '```', ''],
    ...[`[Install the Python package](../python.md#install) first. \`import ${name}\` then finds`, `\`trainyard.compat.${name}\`.`, ''],
    ...[section('Your script, unchanged'), '', 'What differs:', '', section('Differences').replaceAll(/<!--.*?--> /g, ''), ''],
    ...[
      `The ${text.match(/^### /gm)?.length} blocks of its document are in \`test/python/compat\`, which runs those that are code and`,
      'compares what they give with those that show it.',
      '',
    ],
  ];
}

function showSystem({ title, intro, operations }: OperationFile, name: string): string[] {
  const rows = operations.map(({ call, name, rows }) => [rows.join(', '), call.replaceAll('|', '\\|'), code(name)]);
  return [
    ...[MADE, `# Moving from ${title}`, '', ...showScripts(name), '## By GraphQL', '', ...intro, ''],
    ...['The [index](README.md) says what holds for all systems.', ''],
    ...[...markdownTable(['', 'there', 'here'], rows), '', ...operations.flatMap(showOperation)],
  ];
}

function showStatuses(): string[] {
  const wordsOf = (status: (typeof jobStatuses)[number]) =>
    dialects.map((dialect) => nativeStatus(dialect, { status, isFederated: false, isAggregating: false }));
  return [
    ...[`## ${statuses.title}`, '', ...statuses.intro, ''],
    ...markdownTable(
      ['here', ...dialects.map((dialect) => spoken[dialect])],
      jobStatuses.map((status) => [status, ...wordsOf(status)]),
    ),
    ...[
      '',
      'A federated job is `IN_PROGRESS` in the words of vergeai from its creation on, and `AGGREGATION_IN_PROGRESS` while its models are aggregated.',
      '',
    ],
    ...statuses.operations.flatMap(({ text }) => graphql(text)),
  ];
}

const index = [
  MADE,
  '# Moving to Trainyard',
  '',
  'For people who come from vergeai, SeeMe, neuromation, mlcycle or BrevettiAI. Their scripts run as',
  'they are: `python -m trainyard.compat SYSTEM script.py`. For what is written anew, each page has',
  'what they call there, and the operation that does it here. Each operation is one that the tests in',
  '`test/systems` send to a running gateway, so it works as it stands.',
  '',
  ...files.map(({ name, file }) => `- [${file.title}](${name}.md)`),
  '',
  'Send them as `{"query": …, "variables": …}` to `POST /graphql` with `Authorization: Bearer KEY`, subscriptions over a WebSocket to the same address; or try them in GraphiQL,',
  "the gateway's own page. A mutation answers its payload or a refusal that says what is wrong, and then nothing was changed. All of them select refusals with this fragment;",
  'send it along:',
  '',
  ...graphql(refusalFile),
  'Files do not go through GraphQL: `PUT` their bytes at `uploadUrl`, `GET` them at `downloadUrl`. Both are paths on the gateway that carry a signature, so they need no key:',
  '',
  '```sh',
  'curl --upload-file model.safetensors "$TRAINYARD_URL$UPLOAD_URL"',
  '```',
  '',
  ...showStatuses(),
];

const texts = new Map([['README.md', index], ...files.map(({ name, file }): [string, string[]] => [`${name}.md`, showSystem(file, name)])]);

/** The tests of a system, with their support files: all whose names begin with the system's. */
function readTests(name: string): string {
  const files = readdirSync(new URL('test/systems/', top)).filter((file) => file.startsWith(name) && file.endsWith('.ts'));
  return files.map((file) => read(`test/systems/${file}`)).join('');
}

/** Every way in which the pages would promise more than the tests prove. */
function* findFaults(): Generator<string> {
  const schema = buildSchema(read('schema.graphql'));
  const shared = readOperationFile(operationsIn('refusal'), []).document;
  for (const { name, file } of [...files, { name: 'statuses', file: statuses }]) {
    const isWithShared = name !== 'statuses';
    for (const error of validate(schema, isWithShared ? concatAST([file.document, shared]) : file.document))
      yield `${name}: ${error.message}`;
    for (const fault of findWrongVariables(schema, file)) yield `${name}: ${fault}`;
    const tests = readTests(name);
    for (const operation of file.operations) {
      const document = `${operation.name.charAt(0).toUpperCase()}${operation.name.slice(1)}Document`;
      if (!new RegExp(`\\b${document}\\b`).test(tests)) yield `${name}: no test uses ${operation.name}`;
    }
  }
  for (const { name, file } of files) {
    const count = systems[name as keyof typeof systems]; // made of its keys
    const tests = readTests(name);
    for (let number = 1; number <= count; number++) {
      const row = `${name.charAt(0)}${number}`;
      if (!new RegExp(`test\\(['"\`]${row}: `).test(tests)) yield `${name}: no test is named after ${row}`;
      if (!file.operations.some(({ rows }) => rows.includes(row))) yield `${name}: no operation does ${row}`;
    }
  }
}

/** Example variables that their operation does not take. */
function* findWrongVariables(schema: GraphQLSchema, { operations, document }: OperationFile): Generator<string> {
  for (const { name, variables } of operations) {
    const definition = document.definitions.find((each) => each.kind === Kind.OPERATION_DEFINITION && each.name?.value === name);
    if (!variables || definition?.kind !== Kind.OPERATION_DEFINITION) continue;
    const { errors = [] } = getVariableValues(schema, definition.variableDefinitions ?? [], JSON.parse(variables));
    for (const { message } of errors) yield `${name}: ${message}`;
  }
}

for (const fault of findFaults()) {
  console.error(fault);
  process.exitCode = 1;
}
for (const [name, lines] of texts) {
  const page = new URL(name, pages);
  const text = `${lines.join('\n').trimEnd()}\n`;
  if (!process.argv.includes('--check')) writeFileSync(page, text);
  else if (!existsSync(page) || readFileSync(page, 'utf8') !== text) {
    console.error(`docs/moving/${name} does not match test/systems/operations: run \`npm run moving\`.`);
    process.exitCode = 1;
  }
}
