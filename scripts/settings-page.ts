/**
 * Writes docs/settings.md from src/config.
 *
 *   node scripts/settings-page.ts           writes the page
 *   node scripts/settings-page.ts --check   ends with 1 if the page in the checkout is not what would be written
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
  'Of `trainyard serve` and `trainyard up`. Each is a variable of the environment and, unless it is a secret, a flag, which wins; what is done once is a flag alone. A gateway that is told something wrong does not',
  'start: it says all that is wrong at once. Several gateways on one database should be given the same limits.',
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
  console.error('docs/settings.md is not what src/config gives: run `npm run settings`.');
  process.exitCode = 1;
}
