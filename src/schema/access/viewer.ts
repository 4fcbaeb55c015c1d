import type { Principal } from '../../domain/access/principal.ts';
import { builder } from '../core/builder.ts';
import { viewerOf } from '../core/context.ts';
import { PrincipalKind, Role } from '../core/enums.ts';
import { Device, Job, Project } from '../core/nouns.ts';
import { deviceById } from '../devices.ts';
import { jobById } from '../jobs/jobs.ts';
import { projectById } from '../projects.ts';

const Viewer = builder.objectRef<Principal>('Viewer').implement({
  description: 'Who is asking: what the key that came with the request stands for.',
  fields: (t) => ({
    kind: t.expose('kind', { type: PrincipalKind, description: 'Whom the key is for.' }),
    name: t.exposeString('name', { description: 'The name that events and owners carry: `user:alice`, `device:gpu-1`, `job:job_…`.' }),
    role: t.expose('role', { type: Role, nullable: true, description: 'What it may do; null unless it is of kind USER.' }),
    project: t.field({
      type: Project,
      nullable: true,
      description: 'The only project that it sees. Null: all.',
      resolve: ({ projectId }, _, context) => (projectId === null ? null : projectById.load(context, projectId)),
    }),
    job: t.field({
      type: Job,
      nullable: true,
      description: 'The only job that it sees. Null unless it is of kind JOB or WATCH.',
      resolve: ({ jobId }, _, context) => (jobId === null ? null : jobById.load(context, jobId)),
    }),
    device: t.field({
      type: Device,
      nullable: true,
      description: 'The device that it is. Null unless it is of kind DEVICE, or a lease that a device holds.',
      resolve: ({ deviceId }, _, context) => (deviceId === null ? null : deviceById.load(context, deviceId)),
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the key ends by itself. Null: never; or with its lease, of a lease.',
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({ type: Viewer, description: 'Who is asking, and what they see.', resolve: (_, __, context) => viewerOf(context) }),
);
