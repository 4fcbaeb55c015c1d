/**
 * The checker: `npm run chaos:check -- --notes DIR --database FILE|postgres://… [--fragments DIR]`.
 *
 * Reads only the clients' notes and the stored rows, and reports each broken promise with the notes
 * and rows that show it. Exits with 1 if a promise was broken. The gateway must be stopped, so that
 * the stored rows are final.
 */
import { parseArgs } from 'node:util';
import { readNotes } from '../notes.ts';
import { check, measure } from './check.ts';
import { readStored } from './database.ts';
import { gather } from './evidence.ts';
import { readHistory } from './history.ts';
import { report } from './report.ts';

const text = { type: 'string' } as const;
const { notes, database, fragments } = parseArgs({ options: { notes: text, database: text, fragments: text } }).values;
if (notes === undefined || database === undefined) {
  process.stderr.write('Usage: npm run chaos:check -- --notes DIR --database FILE|postgres://… [--fragments DIR]\n');
  process.exit(2);
}
const evidence = gather(readHistory(readNotes(notes)), await readStored(database), { fragmentsDir: fragments ?? null });
const findings = check(evidence);
process.stdout.write(report(findings, measure(evidence)));
if (findings.length > 0) process.exitCode = 1;
