import { encodeCursor, feed } from '../../domain/core/cursors.ts';
import type {
  JobStatus as JobStatusWord,
  RoundStatus as RoundStatusWord,
  StepStatus as StepStatusWord,
} from '../../domain/core/lifecycle.ts';
import { gone } from '../../domain/core/request-refusals.ts';
import type { EventType } from '../../domain/core/vocabulary.ts';
import type { EventRow, FragmentRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import type { Context } from '../core/context.ts';
import { JobStatus, RoundStatus, StatusReason, StepStatus } from '../core/enums.ts';
import { Fragment, Job, Project, Step } from '../core/nouns.ts';
import { SOME } from '../core/sizes.ts';
import { Round, roundOf } from '../federation/rounds.ts';
import { fragmentById } from '../files/fragments.ts';
import { jobOf, jobWith } from '../jobs/jobs.ts';
import { shownProject } from '../projects.ts';
import { stepOf, stepsOfJob } from '../steps/steps.ts';

/** The deletion of a job is shown apart (JobDeletion): every event has its job. */
type ShownType = Exclude<EventType, 'JOB_DELETED'>;

/** An event in one of its two streams: the events of its job, or the feed across jobs. */
export interface ShownEvent extends EventRow {
  readonly type: ShownType;
  readonly fragment: FragmentRow | null;
  readonly isOfFeed: boolean;
}

/**
 * Loads the jobs and files of events. An event whose job or file was deleted meanwhile is left out:
 * it cannot be shown, and must not make the other events fail.
 */
export async function eventsOf(context: Context, rows: readonly EventRow[], isOfFeed: boolean): Promise<ShownEvent[]> {
  const events = await Promise.all(
    rows.map(async ({ type, ...row }): Promise<ShownEvent | null> => {
      if (type === 'JOB_DELETED') return null;
      const [job, fragment] = await Promise.all([
        jobWith(context, row.jobId, 'id'),
        row.fragmentId === null ? null : fragmentById.load(context, row.fragmentId),
      ]);
      if (!job || (type === 'FRAGMENT_READY' && !fragment)) return null;
      return { ...row, type, fragment, isOfFeed };
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
} as const satisfies Record<ShownType, string>;

export const Event = builder.interfaceRef<ShownEvent>('Event').implement({
  description: 'A change of a job, its steps, files or rounds. Events are stored in commit order.',
  resolveType: ({ type }) => typeNames[type],
  fields: (t) => ({
    cursor: t.field({
      type: 'Cursor',
      description:
        'Its position in the stream that it was read from: the events of one job, or of all jobs. Pass it as `after` to continue ' +
        'from there.',
      resolve: ({ isOfFeed, jobId, seq, position }, _, { domain }) =>
        isOfFeed ? encodeCursor(domain, { ...feed, seq: position }) : encodeCursor(domain, { kind: 'event', jobId, seq }),
    }),
    at: t.expose('at', { type: 'DateTime', description: 'When it happened.' }),
    actor: t.exposeString('actor', { description: 'Who did it: the name of a key, or `trainyard` for the gateway itself.' }),
    job: t.field({
      type: Job,
      description: 'The job concerned, as it is now.',
      resolve: ({ jobId }, _, context, info) => jobOf(context, jobId, info),
    }),
  }),
});

type Cause = Pick<EventRow, 'reason' | 'description' | 'exitCode'>;
const Cause = builder.interfaceRef<ShownEvent>('StatusChangedEvent').implement({
  description: 'A change of the status of a job or step, and the reason.',
  interfaces: [Event],
  fields: (t) => ({
    reason: t.field({ type: StatusReason, description: 'Why, for programs.', resolve: ({ reason }: Cause) => reason ?? 'CREATED' }),
    description: t.exposeString('description', { description: 'Why, for people. May be empty.' }),
    exitCode: t.exposeInt('exitCode', { nullable: true, description: 'The exit code that caused it, if any.' }),
  }),
});

builder.objectRef<ShownEvent>(typeNames.JOB_CREATED).implement({ description: 'A job was created.', interfaces: [Event] });

builder.objectRef<ShownEvent>(typeNames.JOB_STATUS_CHANGED).implement({
  description: 'The status of a job changed.',
  interfaces: [Event, Cause],
  // Casts here and below: statuses are stored as text, and each is one of its lifecycle table.
  fields: (t) => ({
    from: t.field({ type: JobStatus, description: 'The old status.', resolve: ({ from }) => from as JobStatusWord }),
    to: t.field({ type: JobStatus, description: 'The new status.', resolve: ({ to }) => to as JobStatusWord }),
  }),
});

builder.objectRef<ShownEvent>(typeNames.STEPS_ADDED).implement({
  description: 'Steps were added to a job.',
  interfaces: [Event],
  fields: (t) => ({
    steps: t.field({
      type: [Step],
      size: SOME,
      description: 'The added steps in order of number, as they are now.',
      resolve: async ({ jobId, seq }, _, context, info) =>
        (await stepsOfJob(context, jobId, info, ['createdSeq'])).filter(({ createdSeq }) => createdSeq === seq),
    }),
  }),
});

builder.objectRef<ShownEvent>(typeNames.STEP_STATUS_CHANGED).implement({
  description: 'The status of a step changed.',
  interfaces: [Event, Cause],
  fields: (t) => ({
    step: t.field({
      type: Step,
      description: 'The step, as it is now.',
      resolve: ({ stepId }, _, context) => stepOf(context, stepId ?? ''),
    }),
    from: t.field({ type: StepStatus, description: 'The old status.', resolve: ({ from }) => from as StepStatusWord }),
    to: t.field({ type: StepStatus, description: 'The new status.', resolve: ({ to }) => to as StepStatusWord }),
    attempt: t.exposeInt('attempt', { nullable: true, description: 'The number of its newest attempt. Null: there was no attempt.' }),
  }),
});

builder.objectRef<ShownEvent>(typeNames.FRAGMENT_READY).implement({
  description: 'A file of a job was fully uploaded. The event is left out of streams once the file is deleted.',
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
  description: 'Fields of a job other than its status changed.',
  interfaces: [Event],
  fields: (t) => ({
    changed: t.stringList({ description: 'The names of the changed fields.', resolve: ({ details }) => details ?? [] }),
  }),
});

builder.objectRef<ShownEvent>(typeNames.ROUND_CHANGED).implement({
  description: 'A round of a federated job changed its status.',
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
      description: 'The old status. Null: it has just started.',
      resolve: ({ from }) => from as RoundStatusWord | null,
    }),
    to: t.field({ type: RoundStatus, description: 'The new status.', resolve: ({ to }) => to as RoundStatusWord }),
  }),
});

export const JobDeletion = builder.objectRef<EventRow>('JobDeletion').implement({
  description:
    'A job was deleted. This is all that is kept of it, as long as events of ended jobs are. It is no Event, because an Event has ' +
    'its job.',
  fields: (t) => ({
    cursor: t.field({
      type: 'Cursor',
      description: 'Its position in the events of all jobs. Pass it as `after` to continue from there.',
      resolve: ({ position }, _, { domain }) => encodeCursor(domain, { ...feed, seq: position }),
    }),
    at: t.expose('at', { type: 'DateTime', description: 'When it was deleted.' }),
    actor: t.exposeString('actor', { description: 'Who deleted it: the name of a key.' }),
    jobId: t.exposeID('jobId', { description: 'Its former id.' }),
    name: t.exposeString('description', { description: 'Its name.' }),
    projectId: t.exposeID('projectId', { description: 'The id of the project that owned it.' }),
    project: t.field({
      type: Project,
      nullable: true,
      description: 'The project that owned it. Null: the project was deleted too.',
      resolve: ({ projectId }, _, context, info) => shownProject(context, projectId, info),
    }),
  }),
});

export const deletionsIn = (rows: readonly EventRow[]): EventRow[] => rows.filter(({ type }) => type === 'JOB_DELETED');
