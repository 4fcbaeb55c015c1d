import { type Dialect as DialectWord, nativeStatus } from '../../domain/jobs/native-status.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import { jobsThatAggregate } from '../../store/queries/steps.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import { describeEnum } from '../core/enums.ts';
import { defineLoader } from '../core/loaders.ts';
import { Job } from '../core/nouns.ts';

const Dialect = describeEnum<DialectWord>('Dialect', 'Another system, whose names for job statuses Trainyard can return.', {
  VERGEAI: 'INITIALIZED, IN_PROGRESS, AGGREGATION_IN_PROGRESS, COMPLETED, CANCELLED.',
  SEEME: 'WAITING, STARTED, FINISHED, ERROR.',
  NEUROMATION: 'PENDING, RUNNING, SUSPENDED, SUCCEEDED, FAILED, CANCELLED.',
  MLCYCLE: 'Numbers, as text: `0` created, `21` scheduled, `1` in progress, `2` done, `31` error.',
});

const isAggregating = defineLoader<string, boolean>(async ({ read }, jobIds) => {
  const found = new Set((await jobsThatAggregate(read, jobIds)).map(({ jobId }) => jobId));
  return jobIds.map((id) => found.has(id));
});

builder.objectField(Job, 'nativeStatus', (t) =>
  t.string({
    description: 'Its status as another system names it, for programs written for that system.',
    args: { dialect: t.arg({ type: Dialect, required: true, description: 'The other system.' }) },
    extensions: reads<ShownJob>('id', 'status', 'isFederated'),
    resolve: async ({ id, status, isFederated }, { dialect }, context) => {
      // Only a running federated job needs more than its row.
      const isOpen = isFederated && status === 'RUNNING';
      return nativeStatus(dialect, { status, isFederated, isAggregating: isOpen && (await isAggregating.load(context, id)) });
    },
  }),
);
