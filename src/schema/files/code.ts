/** The code that travels with a job. */

import type { GitRevision as GitRevisionShape } from '../../domain/core/vocabulary.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import { Fragment, Job } from '../core/nouns.ts';
import { fragmentById } from './fragments.ts';

const GitRevision = builder.objectRef<GitRevisionShape>('GitRevision').implement({
  description: 'A state of a Git repository.',
  fields: (t) => ({
    ref: t.exposeString('ref', {
      nullable: true,
      description: 'The branch, tag or commit to clone. Null: the default branch, or the code is an archive.',
    }),
    commit: t.exposeString('commit', {
      nullable: true,
      description: 'The commit, in full: 40 or 64 hexadecimal digits. Null: no step has cloned it yet.',
    }),
    branch: t.exposeString('branch', { nullable: true, description: 'The branch that was checked out. Null: none was.' }),
    isDirty: t.exposeBoolean('isDirty', {
      description: 'Whether the files differ from the commit: some were changed, added or removed since.',
    }),
  }),
});

const JobCode = builder.objectRef<Pick<ShownJob, 'code' | 'codeFragmentId'>>('JobCode').implement({
  description: 'The code that travels with a job. It is put into the working folder of each step before its command runs.',
  fields: (t) => ({
    archive: t.field({
      type: Fragment,
      nullable: true,
      description: 'The archive: a file of the project. Null: the file was deleted after the job had ended, or this key may not see it.',
      resolve: ({ codeFragmentId }, _, context) => (codeFragmentId === null ? null : fragmentById.load(context, codeFragmentId)),
    }),
    sha256: t.string({
      nullable: true,
      description: 'The SHA-256 of the archive in lowercase hex. The same folder has the same hash, wherever and whenever it is sent.',
      resolve: ({ code }) => code?.archive?.sha256 ?? null,
    }),
    sizeBytes: t.field({
      type: 'ByteCount',
      nullable: true,
      description: 'The size of the archive.',
      resolve: ({ code }) => code?.archive?.sizeBytes ?? null,
    }),
    git: t.field({
      type: GitRevision,
      nullable: true,
      description: 'The state of the repository that the code is from. Null: it is from no repository.',
      resolve: ({ code }) => code?.git ?? null,
    }),
  }),
});

builder.objectField(Job, 'code', (t) =>
  t.field({
    type: JobCode,
    nullable: true,
    description: 'The code that travels with it. Null: its steps start in an empty folder.',
    extensions: reads<ShownJob>('code', 'codeFragmentId'),
    resolve: (job) => (job.code === null ? null : job),
  }),
);
