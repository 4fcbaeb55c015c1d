import { encodeCursor, feed } from '../../domain/core/cursors.ts';
import type {
  JobStatus as JobStatusWord,
  RoundStatus as RoundStatusWord,
  StepStatus as StepStatusWord,
} from '../../domain/core/lifecycle.ts';
import { gone } from '../../domain/core/refusals.ts';
import type { EventType } from '../../domain/core/vocabulary.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import type { EventRow, FragmentRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import type { Context } from '../core/context.ts';
import { JobStatus, RoundStatus, StatusReason, StepStatus } from '../core/enums.ts';
import { Fragment, Job, Step } from '../core/nouns.ts';
import { SOME } from '../core/sizes.ts';
import { Round, roundOf } from '../federation/rounds.ts';
import { fragmentById } from '../files/fragments.ts';
import { jobById } from '../jobs/jobs.ts';
import { stepOf, stepsOfJob } from '../steps/steps.ts';

/** An event as it stands in one of the two streams that show it: its job's, or the feed across jobs. */
export interface ShownEvent extends EventRow {
  readonly job: ShownJob;
  readonly fragment: FragmentRow | null;
  readonly isOfFeed: boolean;
}

/**
 * Events with what they are about. One whose job or file has been deleted meanwhile is left out: it can no longer be shown, and must not
 * take what comes with it along.
 */
export async function eventsOf(context: Context, rows: readonly EventRow[], isOfFeed: boolean): Promise<ShownEvent[]> {
  const events = await Promise.all(
    rows.map(async (row): Promise<ShownEvent | null> => {
      const [job, fragment] = await Promise.all([
        jobById.load(context, row.jobId),
        row.fragmentId === null ? null : fragmentById.load(context, row.fragmentId),
      ]);
      if (!job || (row.type === 'FRAGMENT_READY' && !fragment)) return null;
      return { ...row, job, fragment, isOfFeed };
    }),
  );
  return events.filter((event) => event !== null);
}

const typeNames = {
  JOB_CREATED: 'JobCreatedEvent',
  JOB_STATUS_CHANGED: 'JobStatusChangedEvent',
  STEPS_ADDED: 'StepsAddedEvent',
  STEP_STATUS_CHANGED: 'StepStatusChangedEvent',
  FRAGMENT_READY: 'FragmentReadyEvent',
  JOB_UPDATED: 'JobUpdatedEvent',
  ROUND_CHANGED: 'RoundChangedEvent',
} as const satisfies Record<EventType, string>;

export const Event = builder.interfaceRef<ShownEvent>('Event').implement({
  description: 'Something that happened to a job, kept in the order in which it was committed.',
  resolveType: ({ type }) => typeNames[type],
  fields: (t) => ({
    cursor: t.field({
      type: 'Cursor',
      description:
        'Its place in the stream that it was read from (one job’s, or the feed across jobs): pass it as `after` to go on from there.',
      resolve: ({ isOfFeed, jobId, seq, position }, _, { domain }) =>
        isOfFeed ? encodeCursor(domain, { ...feed, seq: position }) : encodeCursor(domain, { kind: 'event', jobId, seq }),
    }),
    at: t.expose('at', { type: 'DateTime', description: 'When it happened.' }),
    actor: t.exposeString('actor', { description: 'Who did it: the name of a key, or `trainyard` for what the gateway does by itself.' }),
    job: t.expose('job', { type: Job, description: 'The job that it happened to, as it is now.' }),
  }),
});

type Cause = Pick<EventRow, 'reason' | 'description' | 'exitCode'>;
const Cause = builder.interfaceRef<ShownEvent>('StatusChangedEvent').implement({
  description: 'A change of status, of a job or of a step, with why it came to be.',
  interfaces: [Event],
  fields: (t) => ({
    reason: t.field({ type: StatusReason, description: 'Why, for programs.', resolve: ({ reason }: Cause) => reason ?? 'CREATED' }),
    description: t.exposeString('description', { description: 'Why, for people; may be empty.' }),
    exitCode: t.exposeInt('exitCode', { nullable: true, description: 'The exit code that led to it, if one did.' }),
  }),
});

builder.objectRef<ShownEvent>(typeNames.JOB_CREATED).implement({ description: 'A job was made.', interfaces: [Event] });

builder.objectRef<ShownEvent>(typeNames.JOB_STATUS_CHANGED).implement({
  description: 'The status of a job changed.',
  interfaces: [Event, Cause],
  // Casts here and below: statuses are stored as text, each from the lifecycle table of its noun.
  fields: (t) => ({
    from: t.field({ type: JobStatus, description: 'The status before.', resolve: ({ from }) => from as JobStatusWord }),
    to: t.field({ type: JobStatus, description: 'The status since.', resolve: ({ to }) => to as JobStatusWord }),
  }),
});

builder.objectRef<ShownEvent>(typeNames.STEPS_ADDED).implement({
  description: 'Steps were added to a job.',
  interfaces: [Event],
  fields: (t) => ({
    steps: t.field({
      type: [Step],
      size: SOME,
      description: 'The steps that were added, in order of number, as they are now.',
      resolve: async ({ jobId, seq }, _, context) => (await stepsOfJob.load(context, jobId)).filter(({ createdSeq }) => createdSeq === seq),
    }),
  }),
});

builder.objectRef<ShownEvent>(typeNames.STEP_STATUS_CHANGED).implement({
  description: 'The status of a step changed: it was claimed, ended, or was queued again.',
  interfaces: [Event, Cause],
  fields: (t) => ({
    step: t.field({
      type: Step,
      description: 'The step, as it is now.',
      resolve: ({ stepId }, _, context) => stepOf(context, stepId ?? ''),
    }),
    from: t.field({ type: StepStatus, description: 'The status before.', resolve: ({ from }) => from as StepStatusWord }),
    to: t.field({ type: StepStatus, description: 'The status since.', resolve: ({ to }) => to as StepStatusWord }),
    attempt: t.exposeInt('attempt', { nullable: true, description: 'The number of its newest attempt. Null: there was none.' }),
  }),
});

builder.objectRef<ShownEvent>(typeNames.FRAGMENT_READY).implement({
  description: 'A file of a job is whole. Left out of streams once the file is deleted.',
  interfaces: [Event],
  fields: (t) => ({
    fragment: t.field({
      type: Fragment,
      description: 'The file, as it is now.',
      resolve: ({ fragment }) => {
        if (!fragment) throw new Error('An event of a file that is gone is left out.');
        return fragment;
      },
    }),
  }),
});

builder.objectRef<ShownEvent>(typeNames.JOB_UPDATED).implement({
  description: "A job's own fields changed, but for its status.",
  interfaces: [Event],
  fields: (t) => ({
    changed: t.stringList({ description: 'The names of the fields that changed.', resolve: ({ details }) => details ?? [] }),
  }),
});

builder.objectRef<ShownEvent>(typeNames.ROUND_CHANGED).implement({
  description: 'A round of a federated job started, went on or ended.',
  interfaces: [Event],
  fields: (t) => ({
    round: t.field({
      type: Round,
      description: 'The round, as it is now.',
      resolve: async ({ jobId, details }, _, context) => {
        const round = await roundOf(context, jobId, Number(details?.[0]));
        if (!round) throw gone('job', jobId);
        return round;
      },
    }),
    from: t.field({
      type: RoundStatus,
      nullable: true,
      description: 'The status before. Null: it has just started.',
      resolve: ({ from }) => from as RoundStatusWord | null,
    }),
    to: t.field({ type: RoundStatus, description: 'The status since.', resolve: ({ to }) => to as RoundStatusWord }),
  }),
});
