/**
 * Draws docs/lifecycle.md from the tables of src/domain/core/lifecycle.ts.
 *
 *   node scripts/lifecycle-diagram.ts           writes the file
 *   node scripts/lifecycle-diagram.ts --check   fails if the file is out of date
 */
import { readFile, writeFile } from 'node:fs/promises';
import {
  fragmentLifecycle,
  fragmentStatuses,
  jobLifecycle,
  jobStatuses,
  participantLifecycle,
  participantStatuses,
  roundLifecycle,
  roundStatuses,
  stepLifecycle,
  stepStatuses,
} from '../src/domain/core/lifecycle.ts';
import { markdownTable } from './markdown-table.ts';

type Lifecycle = Readonly<Record<string, Readonly<Record<string, string>>>>;

const file = new URL('../docs/lifecycle.md', import.meta.url);

function transitionsOf(lifecycle: Lifecycle): string[] {
  return [...new Set(Object.values(lifecycle).flatMap((row) => Object.keys(row)))];
}

/**
 * The arrows between two statuses are drawn as one with all its transitions. A transition back to
 * the same status is only in the table.
 */
function diagram(lifecycle: Lifecycle, starts: readonly string[]): string[] {
  const lines = ['```mermaid', 'stateDiagram-v2', ...starts.map((status) => `  [*] --> ${status}`)];
  for (const [from, row] of Object.entries(lifecycle)) {
    const targets = [...new Set(Object.values(row))].filter((to) => to !== from);
    for (const to of targets) {
      const transitions = Object.keys(row).filter((transition) => row[transition] === to);
      lines.push(`  ${from} --> ${to}: ${transitions.join(', ')}`);
    }
    if (targets.length === 0) lines.push(`  ${from} --> [*]`);
  }
  return [...lines, '```'];
}

function table(lifecycle: Lifecycle, statuses: readonly string[]): string[] {
  const transitions = transitionsOf(lifecycle);
  const rows = statuses.map((status) => [`**${status}**`, ...transitions.map((transition) => lifecycle[status]?.[transition] ?? '')]);
  return markdownTable(['', ...transitions], rows);
}

function section(title: string, intro: string, lifecycle: Lifecycle, statuses: readonly string[], starts: readonly string[]): string[] {
  return [`## ${title}`, '', intro, '', ...diagram(lifecycle, starts), '', ...table(lifecycle, statuses), ''];
}

const page = [
  '<!-- Made by `npm run lifecycle` from src/domain/core/lifecycle.ts. Do not edit. -->',
  '# Lifecycle',
  '',
  'The lifecycles of a job, a step, a round, a participant and a fragment. In the tables a row is a status, a column a transition,',
  'and a cell the status that it leads to. A transition whose cell is empty is refused with `INVALID_STATE`.',
  '',
  ...section('Job', 'The status of a job follows from its steps.', jobLifecycle, jobStatuses, ['QUEUED', 'BLOCKED']),
  ...section(
    'Step',
    'A step waits for the ones before it, is claimed by a device, and ends once. `requeue` is every way back to the queue: a failure with attempts left, a release, a lost device, a preemption.',
    stepLifecycle,
    stepStatuses,
    ['QUEUED', 'BLOCKED'],
  ),
  ...section(
    'Round',
    'A round of a federated job trains on its devices until it has as many models as it needs, and makes one model of them. A round whose job ends first becomes FAILED with a failed job, else CANCELLED.',
    roundLifecycle,
    roundStatuses,
    ['TRAINING'],
  ),
  ...section(
    'Participant',
    'A device in a round follows its step. `invite`: the step went back to the queue. `submitLate`: its model came when the round already had enough. `drop`: the step ended without a model.',
    participantLifecycle,
    participantStatuses,
    ['INVITED'],
  ),
  ...section(
    'Fragment',
    'A file is announced, and ready once its bytes are stored. One that is created with its text is ready at once.',
    fragmentLifecycle,
    fragmentStatuses,
    ['PENDING', 'READY'],
  ),
].join('\n');

if (process.argv.includes('--check')) {
  if ((await readFile(file, 'utf8').catch(() => '')) !== page) {
    console.error('docs/lifecycle.md does not match src/domain/core/lifecycle.ts: run `npm run lifecycle`.');
    process.exitCode = 1;
  }
} else {
  await writeFile(file, page);
}
