/**
 * Lists what schema.graphql lacks of the API that clients are promised, and fails if it lacks
 * anything.
 *
 *     npm run contract
 *
 * The contract is not part of this repository. It is read from beside it; without it, nothing is
 * compared.
 */
import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'graphql';
import { compare } from './contract.ts';

const contractFile = new URL('../../shared/design/contract.graphql', import.meta.url);
const productFile = new URL('../schema.graphql', import.meta.url);

if (!existsSync(contractFile)) {
  console.log('There is no contract beside this repository: nothing to compare.');
} else {
  const breaches = compare(parse(readFileSync(contractFile, 'utf8')), parse(readFileSync(productFile, 'utf8')));
  for (const { coordinate, problem } of breaches) console.log(`${coordinate} ${problem}`);
  console.log(breaches.length === 0 ? 'All that the contract promises is there.' : `${breaches.length} missing or different.`);
  process.exitCode = breaches.length === 0 ? 0 : 1;
}
