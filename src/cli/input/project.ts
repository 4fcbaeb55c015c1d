import { ProjectsDocument } from '../../client/generated.ts';
import type { Requester } from '../../client/request.ts';
import { UsageError } from '../io.ts';
import { readPages } from '../pages.ts';
import { cleanName } from '../terminal.ts';

interface Project {
  readonly id: string;
  readonly name: string;
}

/** How many projects are searched for a name. */
const mostProjects = 1_000;

/** The default project, as the help says it. */
export const defaultProject = "this machine's first, else the only one that the key can see";

/**
 * Finds a project by id or name. Without one: the project of this machine's gateway, else the only
 * one that the key can see.
 * @throws UsageError that lists the projects if several match or none.
 */
export async function resolveProjectId(client: Requester, given: string | undefined, signal: AbortSignal): Promise<string> {
  if (given?.startsWith('proj_')) return given;
  const projects = await listProjects(client, signal);
  const local = projects.find(({ id }) => id === client.target.projectId);
  if (given === undefined && local !== undefined) return local.id;
  const found = given === undefined ? projects : projects.filter((project) => project.name === given);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only.id;
  if (projects.length === 0) throw new UsageError('The key can see no project. Create one first: trainyard projects create NAME.');
  const problem =
    given === undefined
      ? 'Choose a project with --project NAME or ID'
      : `There ${found.length === 0 ? 'is no project' : 'are several projects'} named "${cleanName(given)}"`;
  throw new UsageError(`${problem}. The key can see:\n${(found.length > 1 ? found : projects).map(describe).join('\n')}`);
}

/** Every project that the key can see, up to a thousand. */
export function listProjects(client: Requester, signal: AbortSignal): Promise<Project[]> {
  return readPages(mostProjects, async (first, after) => (await client.request(ProjectsDocument, { first, after }, { signal })).projects);
}

function describe(project: Project): string {
  return `  ${project.id}  ${cleanName(project.name)}`;
}
