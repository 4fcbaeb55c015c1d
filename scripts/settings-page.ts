/**
 * Writes docs/settings.md from src/config.
 *
 *   node scripts/settings-page.ts           writes the page
 *   node scripts/settings-page.ts --check   fails if the page is out of date
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { type Setting, variableOf } from '../src/config/setting.ts';
import { topics } from '../src/config/settings.ts';
import { markdownTable } from './markdown-table.ts';

const page = new URL('../docs/settings.md', import.meta.url);
const code = (text: string) => `\`${text}\``;

function row(setting: Setting): string[] {
  const { name, text, byDefault, takes, hasNoFlag, hasNoVariable, isLocal } = setting;
  const written = setting.write(byDefault);
  const cells = [
    hasNoVariable ? '' : code(variableOf(setting)),
    hasNoFlag ? '' : code(`--${name}`),
    written === '' ? '' : code(written),
    takes.replace(/, such as [^,]*$/, ''),
    isLocal ? `${text} (of \`trainyard up\`)` : text,
  ];
  return cells.map((cell) => cell.replaceAll('|', '\\|'));
}

const text = [
  '<!-- Made by `npm run settings` from src/config. Do not edit. -->',
  '# Settings',
  '',
  'The settings of `trainyard serve` and `trainyard up`. Each is an environment variable and, unless it is a secret, a flag, which wins. An action that is done once is only a flag. A gateway with a wrong setting does not',
  'start, and lists all that is wrong. Several gateways on one database should be given the same limits.',
  '',
  'Sizes are written like `64KiB`, `1MB` or `1.5GB` (KB is 1000 bytes, KiB is 1024), durations like `500ms`, `30s`, `10m`, `1h` or `7d`.',
  '',
  ...Object.values(topics).flatMap(({ title, settings }) => [
    `## ${title}`,
    '',
    ...markdownTable(['variable', 'flag', 'default', 'takes', 'what it is'], Object.values<Setting>(settings).map(row)),
    '',
  ]),
]
  .join('\n')
  .trimEnd();

if (!process.argv.includes('--check')) writeFileSync(page, `${text}\n`);
else if (readFileSync(page, 'utf8') !== `${text}\n`) {
  console.error('docs/settings.md does not match src/config: run `npm run settings`.');
  process.exitCode = 1;
}
