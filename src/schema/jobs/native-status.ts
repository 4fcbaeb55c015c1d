import {
  type Dialect as DialectWord,
  nativeFragmentType,
  nativeInitiator,
  nativeStatus,
  nativeStepStatus,
} from '../../domain/jobs/native-status.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import { jobsThatAggregate, type ShownStep } from '../../store/queries/steps.ts';
import type { FragmentRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import { describeEnum } from '../core/enums.ts';
import { defineLoader } from '../core/loaders.ts';
import { Fragment, Job, Step } from '../core/nouns.ts';

const Dialect = describeEnum<DialectWord>('Dialect', 'Another system, whose names for job statuses Trainyard can return.', {
  VERGEAI: 'INITIALIZED, IN_PROGRESS, AGGREGATION_IN_PROGRESS, COMPLETED, CANCELLED.',
  SEEME: 'WAITING, STARTED, FINISHED, ERROR.',
  NEUROMATION: 'PENDING, RUNNING, SUSPENDED, SUCCEEDED, FAILED, CANCELLED.',
  MLCYCLE: 'Numbers, as text: `0` created, `21` scheduled, `1` in progress, `2` done, `31` error.',
});

const dialectArg = { type: Dialect, required: true, description: 'The other system.' } as const;

const isAggregating = defineLoader<string, boolean>(async ({ read }, jobIds) => {
  const found = new Set((await jobsThatAggregate(read, jobIds)).map(({ jobId }) => jobId));
  return jobIds.map((id) => found.has(id));
});

builder.objectField(Job, 'nativeStatus', (t) =>
  t.string({
    description: 'Its status as another system names it, for programs written for that system.',
    args: { dialect: t.arg(dialectArg) },
    extensions: reads<ShownJob>('id', 'status', 'isFederated'),
    resolve: async ({ id, status, isFederated }, { dialect }, context) => {
      // Only a running federated job needs more than its row.
      const isOpen = isFederated && status === 'RUNNING';
      return nativeStatus(dialect, { status, isFederated, isAggregating: isOpen && (await isAggregating.load(context, id)) });
    },
  }),
);

builder.objectField(Job, 'nativeInitiator', (t) =>
  t.string({
    nullable: true,
    description: 'What started it, as another system names it: in MLCYCLE `0` manual, `1` git, `2` data. Null: that system does not tell.',
    args: { dialect: t.arg(dialectArg) },
    extensions: reads<ShownJob>('initiator'),
    resolve: ({ initiator }, { dialect }) => nativeInitiator(dialect, initiator),
  }),
);

builder.objectField(Step, 'nativeStatus', (t) =>
  t.string({
    description: 'Its status in the words that the other system has for jobs. A SKIPPED step was never more than created there.',
    args: { dialect: t.arg(dialectArg) },
    extensions: reads<ShownStep>('status'),
    resolve: ({ status }, { dialect }) => nativeStepStatus(dialect, status),
  }),
);

builder.objectField(Fragment, 'nativeType', (t) =>
  t.string({
    nullable: true,
    description:
      'Its type, as another system names it: in MLCYCLE `0` metrics, `1` build logs, `2` model. Null: that system has no such type.',
    args: { dialect: t.arg(dialectArg) },
    extensions: reads<FragmentRow>('type'),
    resolve: ({ type }, { dialect }) => nativeFragmentType(dialect, type),
  }),
);
