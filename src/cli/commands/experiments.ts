import { type ExperimentFieldsFragment, ExperimentsDocument } from '../../client/generated.ts';
import type { Requester } from '../../client/request.ts';
import { type Command, jsonFlag } from '../command.ts';
import { defaultProject, resolveProjectId } from '../input/project.ts';
import { UsageError } from '../io.ts';
import { formatAge } from '../output/format.ts';
import { type Column, printList } from '../output/table.ts';
import { readLimit, readPages } from '../pages.ts';
import { cleanName } from '../terminal.ts';

const columns: readonly Column<ExperimentFieldsFragment>[] = [
  { title: 'ID', value: (experiment) => experiment.id },
  { title: 'NAME', value: (experiment) => experiment.name, isFlexible: true },
  { title: 'JOBS', value: (experiment) => String(experiment.jobs.totalCount), isNumber: true },
  { title: 'NOW', value: ({ currentJob }) => (currentJob ? `${currentJob.name} (${currentJob.status})` : ''), isFlexible: true },
  { title: 'MODEL', value: (experiment) => experiment.currentModel?.id ?? '' },
  { title: 'CREATED', value: (experiment) => formatAge(experiment.createdAt) },
];

export const experiments: Command = {
  name: 'experiments',
  summary: 'Lists experiments: queues of jobs in which each job starts from the model of the one before.',
  usage: '',
  argCount: [0, 0],
  flags: {
    project: { value: 'NAME', description: 'only this project, by name or id', defaultText: defaultProject },
    limit: { value: 'N', description: 'the most to show', defaultText: '100' },
    ...jsonFlag,
  },
  notes: 'NOW is the job whose turn it is. MODEL is the model from which the next job starts.',

  async run({ io, client, given, isJson }) {
    const projectId = await resolveProjectId(client, given.text('project'), io.signal);
    const found = await listExperiments(client, projectId, readLimit(given, 100), io.signal);
    return printList(io, isJson, columns, found, 'No experiments.');
  },
};

/** For a project that does not exist or that the key cannot see. */
const noPage = { edges: [], pageInfo: { hasNextPage: false, endCursor: null } };

function listExperiments(client: Requester, projectId: string, limit: number, signal: AbortSignal): Promise<ExperimentFieldsFragment[]> {
  return readPages(limit, async (first, after) => {
    const { project } = await client.request(ExperimentsDocument, { projectId, first, after }, { signal });
    return project?.experiments ?? noPage;
  });
}

/** How many experiments are searched for a name. */
const mostExperiments = 1_000;

/**
 * Finds an experiment's id by id or name.
 * @throws UsageError that lists the experiments if none or several have this name.
 */
export async function resolveExperimentId(client: Requester, projectId: string, given: string, signal: AbortSignal): Promise<string> {
  if (given.startsWith('exp_')) return given;
  const all = await listExperiments(client, projectId, mostExperiments, signal);
  const [found, ...others] = all.filter(({ name }) => name === given);
  if (found && others.length === 0) return found.id;
  const shown = found ? [found, ...others] : all;
  const list = shown.map(({ id, name }) => `\n  ${id}  ${cleanName(name)}`).join('');
  if (found) throw new UsageError(`Several experiments are named "${cleanName(given)}". Give one by its id:${list}`);
  throw new UsageError(
    `There is no experiment named "${cleanName(given)}". ${list === '' ? 'The project has none.' : `There are:${list}`}`,
  );
}
