/**
 * Says what schema.graphql lacks of the API that clients are promised, and fails if it is anything but what the next issue brings.
 *
 *     npm run contract
 *
 * The contract is not part of this repository: it is read from beside it, and where it is not there is nothing to compare.
 */
import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'graphql';
import { type Breach, compare } from './contract.ts';

const contractFile = new URL('../../shared/design/contract.graphql', import.meta.url);
const productFile = new URL('../schema.graphql', import.meta.url);

/** The nouns of the next issue: whatever is of one of these types, or takes one, comes with them. */
const nextTypes =
  /^((Create|Update|Delete)?(Experiment|Application)(Connection|Edge|Input|Payload|Result)?|(Model|ModelVersion)(Connection)?|ItemDefinition(Input)?|Federation(Input)?|Device(Model|SelectionStrategy)|Round(Status|ChangedEvent)?|Participant(Status)?|TerminationCriterion(Input)?|(Duration|Rounds|Metric)Criterion(Input)?|ComparisonOperator|Dialect)$/;

/** Fields and arguments that name one of those nouns by its id, or belong to what it does. */
const nextCoordinates = new Set([
  'JobFilter.experimentId',
  'JobFilter.applicationId',
  'CreateJobInput.experimentId',
  'CreateJobInput.applicationId',
  'CreateJobInput.modelId',
  'CreateJobInput.startModelVersionId',
  'CompleteStepInput.numSamples',
  'Job.nativeStatus',
]);

const isNext = ({ coordinate, types }: Breach): boolean => nextCoordinates.has(coordinate) || types.some((type) => nextTypes.test(type));

function show(title: string, breaches: readonly Breach[]): void {
  if (breaches.length === 0) return;
  console.log(`${title} (${breaches.length}):`);
  for (const { coordinate, problem } of breaches) console.log(`  ${coordinate} ${problem}`);
}

if (!existsSync(contractFile)) {
  console.log('There is no contract beside this repository: nothing to compare.');
} else {
  const breaches = compare(parse(readFileSync(contractFile, 'utf8')), parse(readFileSync(productFile, 'utf8')));
  const broken = breaches.filter((breach) => !isNext(breach));
  show('Left for the next issue', breaches.filter(isNext));
  show('Missing or different', broken);
  if (broken.length === 0) console.log('Everything else that the contract promises is there.');
  process.exitCode = broken.length === 0 ? 0 : 1;
}
