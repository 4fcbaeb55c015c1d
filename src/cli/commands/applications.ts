import { unwrap } from '../../client/errors.ts';
import {
  ApplicationDocument,
  type ApplicationRowFieldsFragment,
  ApplicationsDocument,
  CreateApplicationDocument,
} from '../../client/generated.ts';
import type { Requester } from '../../client/request.ts';
import { type Command, jsonFlag, placeIssues } from '../command.ts';
import { exitCodes, print, printJson, UsageError } from '../io.ts';
import { type Column, printList } from '../output/table.ts';
import { readLimit, readPages } from '../pages.ts';
import { cleanName } from '../terminal.ts';

type Application = ApplicationRowFieldsFragment;

/** How many applications are searched for a name. */
const mostApplications = 1_000;

const columns: readonly Column<Application>[] = [
  { title: 'ID', value: (application) => application.id },
  { title: 'NAME', value: (application) => application.name, isFlexible: true },
  { title: 'ITEMS', value: (application) => application.itemDefinitions.map(describeItem).join(' '), isFlexible: true },
  { title: 'CONTINUAL', value: (application) => (application.supportsContinualTraining ? 'yes' : 'no') },
  { title: 'DESCRIPTION', value: (application) => application.description ?? '', isFlexible: true },
];

export const applications: Command = {
  name: 'applications',
  summary: 'Lists the catalogue of applications, with the items that each takes.',
  usage: '',
  argCount: [0, 0],
  flags: { limit: { value: 'N', description: 'the most to show', defaultText: '100' }, ...jsonFlag },
  notes: 'ITEMS shows NAME=DEFAULT for an item with a default, and NAME! for a required one.',

  async run({ io, client, given, isJson }) {
    const found = await listApplications(client, readLimit(given, 100), io.signal);
    return printList(io, isJson, columns, found, 'No applications.');
  },
};

export const createApplication: Command = {
  name: 'applications create',
  summary: 'Adds an application to the catalogue, from a file.',
  usage: 'FILE',
  argCount: [1, 1],
  flags: jsonFlag,
  notes: `FILE is a CreateApplicationInput in YAML or JSON, or - for standard input: name, itemDefinitions, settingsSchema, container.
As in a job file, text stays as written, and top-level keys that begin with x- are ignored.`,

  async run({ io, client, args, isJson }) {
    const { readApplicationFile } = await import('../input/jobfile.ts');
    const { input, placeOf } = await readApplicationFile(args[0] ?? '');
    const { createApplication } = await client.request(CreateApplicationDocument, { input }, { signal: io.signal });
    try {
      const { application } = unwrap(createApplication);
      if (isJson) await printJson(io, application);
      else await print(io.stdout, `${application.id}\n`);
    } catch (error) {
      throw placeIssues(error, placeOf);
    }
    return exitCodes.succeeded;
  },
};

function listApplications(client: Requester, limit: number, signal: AbortSignal): Promise<Application[]> {
  return readPages(limit, async (first, after) => (await client.request(ApplicationsDocument, { first, after }, { signal })).applications);
}

function describeItem({ name, defaultValue, isRequired }: Application['itemDefinitions'][number]): string {
  if (defaultValue !== null) return `${name}=${defaultValue}`;
  return isRequired ? `${name}!` : name;
}

/**
 * Finds an application by id or name.
 * @throws UsageError that lists the catalogue if none has this name.
 */
export async function resolveApplication(client: Requester, given: string, signal: AbortSignal): Promise<Application> {
  if (given.startsWith('app_')) {
    const { application } = await client.request(ApplicationDocument, { id: given }, { signal });
    if (application) return application;
    throw new UsageError(`There is no application ${cleanName(given)}.`);
  }
  const catalogue = await listApplications(client, mostApplications, signal);
  const found = catalogue.find(({ name }) => name === given);
  if (found) return found;
  const known = catalogue.map(({ id, name }) => `\n  ${id}  ${cleanName(name)}`).join('');
  throw new UsageError(
    `There is no application named "${cleanName(given)}". ${known === '' ? 'The catalogue is empty.' : `There are:${known}`}`,
  );
}
