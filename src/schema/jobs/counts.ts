import { requireRight, scopeOf } from '../../domain/access/rights.ts';
import { badRequest } from '../../domain/core/request-refusals.ts';
import { type Counts, jobCountChanges, ranked } from '../../realtime/job-counts.ts';
import { type CountedBy, countJobsBy } from '../../store/queries/job-counts.ts';
import { jobCondition } from '../../store/queries/job-filter.ts';
import { completeLabels } from '../../store/queries/labels.ts';
import { builder } from '../core/builder.ts';
import { type Context, viewerOf } from '../core/context.ts';
import { describeEnum } from '../core/enums.ts';
import { MANY } from '../core/sizes.ts';
import { deviceById } from '../devices.ts';
import { checkJobFilter, JobFilter } from './lists.ts';

/** Values shown: a chart or a menu has no use for more. */
const MOST_SHOWN = 1_000;
/** Devices looked at: those with the most jobs. */
const MOST_COMPLETED = 100;

const JobCountBy = describeEnum<CountedBy['by']>('JobCountBy', 'What jobs are counted by. Jobs that have none of it are not counted.', {
  STATUS: 'Their status.',
  TYPE: 'Their type.',
  OWNER: 'The key that created them, by name.',
  DEVICE: 'The device of their newest attempt, by id. Only devices that this key may see.',
  APPLICATION: 'Their application, by id.',
  EXPERIMENT: 'Their experiment, by id.',
  PROJECT: 'Their project, by id.',
  LABEL: 'The value of the label whose key is `labelKey`.',
});

const JobCount = builder.objectRef<Counts[number]>('JobCount').implement({
  description: 'How many jobs have something in common.',
  fields: (t) => ({
    key: t.string({ description: 'What they have in common: a status, a name, an id or a value.', resolve: ([key]) => key }),
    count: t.int({ description: 'How many they are.', resolve: ([, count]) => count }),
  }),
});

const countArgs = builder.args((t) => ({
  filter: t.field({ type: JobFilter, description: 'Selects entries. Default: all.' }),
  by: t.field({ type: JobCountBy, required: true, defaultValue: 'STATUS', description: 'What they are counted by.' }),
  labelKey: t.string({ description: 'For LABEL: the key of the label.' }),
}));

interface Args {
  readonly filter?: typeof JobFilter.$inferInput | null | undefined;
  readonly by: CountedBy['by'];
  readonly labelKey?: string | null | undefined;
}

function checkArgs(context: Context, { filter, by, labelKey }: Args): CountedBy {
  checkJobFilter(context, filter);
  if (by === 'DEVICE') requireRight(viewerOf(context), 'readDevices');
  if (by === 'APPLICATION') requireRight(viewerOf(context), 'readApplications');
  if (by !== 'LABEL') {
    if (labelKey != null) throw badRequest.onlyWith('labelKey', 'LABEL');
    return { by };
  }
  if (labelKey == null) throw badRequest.neededWith('labelKey', 'LABEL');
  return { by, labelKey };
}

async function shown(context: Context, { by }: Args, counts: Counts): Promise<Counts> {
  const most = counts.slice(0, MOST_SHOWN);
  if (by !== 'DEVICE') return most;
  const devices = await Promise.all(most.map(([id]) => deviceById.load(context, id)));
  return most.filter((_, i) => devices[i] !== null);
}

const whatIsCounted = `Only the ${MOST_SHOWN} most frequent are told, the most frequent first.`;

builder.queryField('jobCounts', (t) =>
  t.field({
    type: [JobCount],
    size: MANY,
    description: `How many of the jobs that the filter selects and this key may see have the same status, owner or the like. ${whatIsCounted}`,
    args: countArgs,
    resolve: async (_, args, context) => {
      const counted = checkArgs(context, args);
      const where = jobCondition(args.filter ?? {}, scopeOf(viewerOf(context)));
      const { signal, read } = context;
      return shown(context, args, ranked(await countJobsBy(read, where, counted, { signal })));
    },
  }),
);

builder.subscriptionField('jobCounts', (t) =>
  t.field({
    type: [JobCount],
    size: MANY,
    description:
      `The counts of \`Query.jobCounts\`, now and when they have changed: at most a few times a second, the newest state. ${whatIsCounted} ` +
      'It has no cursor because it always starts with the current state.',
    args: countArgs,
    subscribe: (_, args, context): AsyncIterable<Counts> =>
      jobCountChanges(context.domain, context.wakeups, viewerOf(context), { filter: args.filter ?? {}, counted: checkArgs(context, args) }),
    resolve: (counts, args, context) => shown(context, args, counts),
  }),
);

const completionArgs = builder.args((t) => ({
  projectId: t.id({ description: 'Only of jobs in this project. Default: of all jobs that this key may see.' }),
  prefix: t.string({ description: 'Only those that begin with this text. Case matters.' }),
  first: t.int({ required: true, defaultValue: 20, description: `The most to read: 1 to ${MOST_COMPLETED}.` }),
}));

interface Completion {
  readonly projectId?: string | null | undefined;
  readonly prefix?: string | null | undefined;
  readonly first: number;
}

async function complete(context: Context, key: string | null, { projectId, prefix, first }: Completion): Promise<string[]> {
  if (first < 1) throw badRequest.tooSmall('first', 1, first);
  const scope = scopeOf(viewerOf(context));
  if (projectId != null && scope.projectId !== null && projectId !== scope.projectId) return [];
  const of = { projectId: projectId ?? scope.projectId, jobId: scope.jobId, key, prefix: prefix ?? '' };
  return completeLabels(context.read, of, first);
}

builder.queryFields((t) => ({
  labelKeys: t.stringList({
    description: 'Keys of labels of jobs, for completion, in order.',
    args: completionArgs,
    resolve: (_, args, context) => complete(context, null, args),
  }),
  labelValues: t.stringList({
    description: 'Values that jobs have of a label, for completion, in order.',
    args: { key: t.arg.string({ required: true, description: 'The key of the label.' }), ...completionArgs },
    resolve: (_, { key, ...args }, context) => complete(context, key, args),
  }),
}));
