/**
 * Writes docs/clients.md from examples/clients: the first comment of each file, then its code. The
 * tests in test/clients run the same files.
 *
 *   node scripts/clients-page.ts           writes the page
 *   node scripts/clients-page.ts --check   fails if the page is out of date
 */
import { readFileSync, writeFileSync } from 'node:fs';

const top = new URL('../', import.meta.url);
const page = new URL('docs/clients.md', top);

/** In the order of the page. */
const files = [
  'documents.ts',
  'resume.ts',
  'graphql-ws.ts',
  'graphql-sse.ts',
  'apollo.ts',
  'urql.ts',
  'relay.ts',
  'persisted.ts',
  'curl.sh',
];

const head = `<!-- Made by \`npm run clients\` from examples/clients; do not edit. -->

# Clients

Any GraphQL client works with Trainyard: POST to \`/graphql\` for queries and mutations, the graphql-transport-ws protocol or server-sent
events at the same address for subscriptions, the key in \`Authorization: Bearer tyk_…\` (on a WebSocket: \`authorization\` in the payload
of connection_init). Below is, for those that most people use, the shortest way that is right: a query, a mutation that may be refused,
and a subscription that goes on where it was when its connection was cut or the gateway started again.

For TypeScript, the [client of the console](../packages/client/README.md) does all of this by itself: \`@trainyard/client\` puts all
subscriptions on one connection, resumes each from its cursor, falls back to server-sent events, says how the connection is, and has a hook
for Preact and React. \`npm run build:client\` builds the package.

For Python, [the package that the gateway serves](python.md) does the same, and more: runs, devices, files.

The code is what \`test/clients\` runs, each against a gateway whose connections it cuts and which it restarts. All of it is in
[examples/clients](../examples/clients).`;

const shell = { language: 'sh', remark: '#', comment: /^#!.*\n((?:##.*\n)+)\n*/, margin: /^## ?/gm };
const typescript = { language: 'ts', remark: '//', comment: /^\/\*\*\n((?: \*.*\n)+?) \*\/\n+/, margin: /^ \* ?/gm };

function showFile(name: string): string {
  const text = readFileSync(new URL(`examples/clients/${name}`, top), 'utf8');
  const kind = name.endsWith('.sh') ? shell : typescript;
  const match = kind.comment.exec(text);
  if (!match?.[1]) throw new Error(`examples/clients/${name} has no first comment to say what it shows.`);
  const prose = match[1].replaceAll(kind.margin, '').trim();
  const code = text.slice(match[0].length).trim();
  return `${prose}\n\n\`\`\`${kind.language}\n${kind.remark} ${name}\n${code}\n\`\`\``;
}

const wanted = `${[head, ...files.map(showFile)].join('\n\n')}\n`;
if (!process.argv.includes('--check')) writeFileSync(page, wanted);
else if (readFileSync(page, 'utf8') !== wanted) {
  console.error('docs/clients.md does not match examples/clients: run `npm run clients`.');
  process.exitCode = 1;
}
