/**
 * Stands in for the `docker` program where no engine runs: writes down what it is called with, as a line of JSON in the file that its first argument names, and answers as
 * docker does when all goes well. Of a container's process it prints one line.
 */
import { appendFileSync, readFileSync } from 'node:fs';

const [record = '', ...args] = process.argv.slice(2);
const envFile = args.find((arg) => arg.startsWith('--env-file='))?.slice('--env-file='.length);
const given = envFile === undefined ? [] : readFileSync(envFile, 'utf8').trimEnd().split('\n');
appendFileSync(record, `${JSON.stringify({ args, given, own: Object.keys(process.env) })}\n`);
const [command] = args;
if (command === 'version') console.log('28.2.2');
if (command === 'inspect') console.log('0123abcd false 2026-01-01T00:00:00Z');
if (command === 'run') console.log('It ran.');
