import type { Principal } from '../../domain/access/principal.ts';
import { builder } from '../core/builder.ts';
import { viewerOf } from '../core/context.ts';
import { PrincipalKind, Role } from '../core/enums.ts';
import { Device, Job, Project } from '../core/nouns.ts';
import { deviceById } from '../devices.ts';
import { shownJob } from '../jobs/jobs.ts';
import { shownProject } from '../projects.ts';

const Viewer = builder.objectRef<Principal>('Viewer').implement({
  description: 'The caller: the key that came with the request.',
  fields: (t) => ({
    kind: t.expose('kind', { type: PrincipalKind, description: 'Who uses the key.' }),
    name: t.exposeString('name', { description: "The caller's name in events and owners: `user:alice`, `device:gpu-1`, `job:job_…`." }),
    role: t.expose('role', { type: Role, nullable: true, description: 'What it may do. Null unless its kind is USER.' }),
    project: t.field({
      type: Project,
      nullable: true,
      description: 'The only project that it sees. Null: all projects.',
      resolve: ({ projectId }, _, context, info) => shownProject(context, projectId, info),
    }),
    job: t.field({
      type: Job,
      nullable: true,
      description: 'The only job that it sees. Null unless its kind is JOB or WATCH.',
      resolve: ({ jobId }, _, context, info) => shownJob(context, jobId, info),
    }),
    device: t.field({
      type: Device,
      nullable: true,
      description: 'Its device. Null unless its kind is DEVICE, or it is a lease token of a device.',
      resolve: ({ deviceId }, _, context) => (deviceId === null ? null : deviceById.load(context, deviceId)),
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the key expires. Null: never. A lease token is valid as long as its lease.',
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({ type: Viewer, description: 'The caller and what it may see.', resolve: (_, __, context) => viewerOf(context) }),
);
