import { unwrap } from '../../client/errors.ts';
import { CreateProjectDocument } from '../../client/generated.ts';
import { type Command, jsonFlag } from '../command.ts';
import { listProjects } from '../input/project.ts';
import { exitCodes, print, printJson } from '../io.ts';
import { printList } from '../output/table.ts';

export const listAllProjects: Command = {
  name: 'projects list',
  summary: 'Lists the projects that the key can see.',
  usage: '',
  argCount: [0, 0],
  flags: jsonFlag,

  async run({ io, client, isJson }) {
    const found = await listProjects(client, io.signal);
    const columns = [
      { title: 'ID', value: (project: { id: string }) => project.id },
      { title: 'NAME', value: (project: { name: string }) => project.name, isFlexible: true },
    ];
    return printList(io, isJson, columns, found, 'No projects.');
  },
};

export const createProject: Command = {
  name: 'projects create',
  summary: 'Creates a project for jobs, devices and keys.',
  usage: 'NAME',
  argCount: [1, 1],
  flags: { repository: { value: 'URL', description: 'its Git repository', field: 'gitRepository' }, ...jsonFlag },

  async run({ io, client, given, args, isJson }) {
    const input = { name: args[0] ?? '', gitRepository: given.text('repository') };
    const { createProject } = await client.request(CreateProjectDocument, { input }, { signal: io.signal });
    const { project } = unwrap(createProject);
    if (isJson) await printJson(io, project);
    else await print(io.stdout, `${project.id}\n`);
    return exitCodes.succeeded;
  },
};
