/**
 * Stands in for the `docker` program where no engine runs: writes down what it is called with, as a line of JSON in the file that its first argument names, and answers as
 * docker does when all goes well. Of a container's process it prints one line.
 */
import { appendFileSync } from 'node:fs';

const [record = '', ...args] = process.argv.slice(2);
appendFileSync(record, `${JSON.stringify({ args, seed: process.env.SEED ?? null, token: process.env.TRAINYARD_TOKEN ?? null })}\n`);
const [command] = args;
if (command === 'version') console.log('28.2.2');
if (command === 'inspect') console.log('false');
if (command === 'run') console.log('It ran.');
