import { type ExperimentFieldsFragment, ExperimentsDocument } from '../client/generated.ts';
import { type Command, jsonFlag } from './command.ts';
import { formatAge } from './format.ts';
import { readLimit, readPages } from './pages.ts';
import { resolveProjectId } from './project.ts';
import { type Column, printList } from './table.ts';

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
  summary: 'Lists experiments: queues of jobs, each of which starts from the model of the one before it.',
  usage: '',
  argCount: [0, 0],
  flags: {
    project: { value: 'NAME', description: 'of this project, by name or id', defaultText: 'the only one that the key sees' },
    limit: { value: 'N', description: 'how many', defaultText: '100' },
    ...jsonFlag,
  },
  notes: 'NOW is the job whose turn it is, MODEL the file that a job starts from whose turn comes now.',

  async run({ io, client, given, isJson }) {
    const projectId = await resolveProjectId(client, given.text('project'), io.signal);
    const found = await readPages(readLimit(given, 100), async (first, after) => {
      const { project } = await client.request(ExperimentsDocument, { projectId, first, after }, { signal: io.signal });
      return project?.experiments ?? noPage;
    });
    return printList(io, isJson, columns, found, 'No experiments.');
  },
};

/** Of a project that is not there, or not for this key. */
const noPage = { edges: [], pageInfo: { hasNextPage: false, endCursor: null } };
