import { type ModelFieldsFragment, ModelsDocument } from '../../client/generated.ts';
import { type Command, jsonFlag } from '../command.ts';
import { defaultProject, resolveProjectId } from '../input/project.ts';
import { formatAge, formatBytes, formatNumber } from '../output/format.ts';
import { type Column, printList } from '../output/table.ts';
import { readLimit, readPages } from '../pages.ts';

const newestOf = (model: ModelFieldsFragment) => model.versions.edges[0]?.node;

const columns: readonly Column<ModelFieldsFragment>[] = [
  { title: 'ID', value: (model) => model.id },
  { title: 'NAME', value: (model) => model.name, isFlexible: true },
  { title: 'VERSION', value: (model) => String(newestOf(model)?.number ?? ''), isNumber: true },
  { title: 'FILE', value: (model) => newestOf(model)?.fragment.id ?? '' },
  { title: 'SIZE', value: (model) => formatBytes(newestOf(model)?.fragment.sizeBytes ?? null), isNumber: true },
  {
    title: 'METRICS',
    value: (model) => (newestOf(model)?.metrics ?? []).map(({ name, value }) => `${name}=${formatNumber(value)}`).join(' '),
    isFlexible: true,
  },
  { title: 'MADE', value: (model) => formatAge(model.updatedAt) },
];

export const models: Command = {
  name: 'models',
  summary: 'Lists models with their newest versions.',
  usage: '',
  argCount: [0, 0],
  flags: {
    project: { value: 'NAME', description: 'only this project, by name or id', defaultText: defaultProject },
    limit: { value: 'N', description: 'the most to show', defaultText: '100' },
    ...jsonFlag,
  },

  async run({ io, client, given, isJson }) {
    const projectId = await resolveProjectId(client, given.text('project'), io.signal);
    const found = await readPages(readLimit(given, 100), async (first, after) => {
      const { project } = await client.request(ModelsDocument, { projectId, first, after }, { signal: io.signal });
      return project?.models ?? noPage;
    });
    return printList(io, isJson, columns, found, 'No models.');
  },
};

/** For a project that does not exist or that the key cannot see. */
const noPage = { edges: [], pageInfo: { hasNextPage: false, endCursor: null } };
