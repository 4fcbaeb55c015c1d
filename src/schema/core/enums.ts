/** The closed sets of words, from the domain's own lists; a word without a description does not compile. */

import type { PrincipalKind as PrincipalKindWord, Role as RoleWord } from '../../domain/access/principal.ts';
import type {
  AttemptOutcome as AttemptOutcomeWord,
  FragmentStatus as FragmentStatusWord,
  JobStatus as JobStatusWord,
  ParticipantStatus as ParticipantStatusWord,
  RoundStatus as RoundStatusWord,
  StatusReason as StatusReasonWord,
  StepStatus as StepStatusWord,
} from '../../domain/core/lifecycle.ts';
import type {
  ComparisonOperator as ComparisonOperatorWord,
  DeviceKind as DeviceKindWord,
  DeviceSelectionStrategy as DeviceSelectionStrategyWord,
  EventType as EventTypeWord,
  FragmentType as FragmentTypeWord,
  IfExists as IfExistsWord,
  ItemValueType as ItemValueTypeWord,
  JobInitiator as JobInitiatorWord,
  JobType as JobTypeWord,
  LogStream as LogStreamWord,
  RunKind as RunKindWord,
  SettingSource as SettingSourceWord,
  StepPart as StepPartWord,
} from '../../domain/core/vocabulary.ts';
import { builder } from './builder.ts';

/** Makes an enum whose values are stored and shown under the same names. */
export function describeEnum<Word extends string>(name: string, description: string, words: Readonly<Record<Word, string>>) {
  const values = Object.fromEntries(Object.entries<string>(words).map(([word, meaning]) => [word, { value: word, description: meaning }]));
  return builder.enumType(name, { description, values: values as Record<Word, { value: Word; description: string }> }); // keys and values of `words`
}

export const JobType = describeEnum<JobTypeWord>('JobType', 'What a job is for.', {
  TRAINING: 'Makes or improves a model.',
  VALIDATION: 'Measures a model.',
  CONVERSION: 'Turns a model or data into another form.',
});

export const JobInitiator = describeEnum<JobInitiatorWord>('JobInitiator', 'What started the job.', {
  MANUAL: 'A person, or a program on their behalf.',
  GIT: 'A change of the code.',
  DATA: 'A change of the data.',
});

export const JobStatus = describeEnum<JobStatusWord>('JobStatus', 'How far a job has come. SUCCEEDED, FAILED and CANCELLED are its ends.', {
  BLOCKED: 'Waits for an earlier job of its experiment.',
  QUEUED: 'No step has been claimed yet.',
  RUNNING: 'A step has been claimed, and there is more to do.',
  SUSPENDED: 'Preempted: nothing of it runs, and its work is queued again.',
  CANCELLING:
    'Someone asked to cancel it, or it has run for too long (its reason is RUN_TIMEOUT, and it will be FAILED); a device still holds one of its steps.',
  SUCCEEDED: 'All its steps have succeeded.',
  FAILED: 'A step failed for good, or the job ran into one of its timeouts.',
  CANCELLED: 'Ended before its end, because someone asked for it.',
});

export const StepStatus = describeEnum<StepStatusWord>(
  'StepStatus',
  'How far a step has come. SUCCEEDED, FAILED, CANCELLED and SKIPPED are its ends.',
  {
    BLOCKED: 'Waits for an earlier step of its job.',
    QUEUED: 'Can be claimed by a device that meets its demands.',
    RUNNING: 'A device holds it under a lease.',
    CANCELLING: 'Its device has been told to stop, and has not let go yet.',
    SUCCEEDED: 'Its device completed it.',
    FAILED: 'It was reported as failed as often as it may be, or its devices were lost too often, or it ran out of time.',
    CANCELLED: 'It was tried, and ended because its job was cancelled.',
    SKIPPED: 'Never ran: the job ended first.',
  },
);

export const ItemValueType = describeEnum<ItemValueTypeWord>('ItemValueType', 'What the text of an item stands for.', {
  INT: 'A whole number.',
  FLOAT: 'A number with a fraction.',
  NUMBER: 'A number, whole or not.',
  TEXT: 'Text as it is.',
  MULTI: 'One of several given options.',
  BOOL: '`true` or `false`.',
  STRING_ARRAY: 'A list of strings, as JSON.',
});

export const SettingSource = describeEnum<SettingSourceWord>('SettingSource', 'Where a setting or an item of a job came from.', {
  DEFAULT: 'Nothing was said: it is the default.',
  GIVEN: 'It was given with the job.',
  OVERRIDE: 'It was put over what was given, by its dot path.',
});

export const RunKind = describeEnum<RunKindWord>('RunKind', 'How what a step says is run.', {
  PROCESS: 'As a process of the device: a step with a command and no image.',
  CONTAINER: 'In a container: a step with an image, or with one to be built.',
});

export const StatusReason = describeEnum<StatusReasonWord>(
  'StatusReason',
  'Why something is in its status, for programs. The description beside it is for people.',
  {
    CREATED: 'It was just made.',
    BLOCKED_BY_STEP: 'An earlier step has to end first.',
    BLOCKED_BY_JOB: 'An earlier job of the experiment has to end first.',
    CLAIMED: 'A device took it.',
    COMPLETED: 'The work was done.',
    DEVICE_REPORTED: 'The device said so, without an exit code.',
    EXIT_CODE: 'The program ended with an exit code other than 0.',
    USER_REQUESTED: 'Someone asked for it.',
    LEASE_EXPIRED: 'The device was not heard of for as long as its lease lasted.',
    ATTEMPTS_EXHAUSTED: 'It was tried as often as it may be.',
    SCHEDULE_TIMEOUT: 'It was queued for longer than scheduleTimeoutSeconds.',
    RUN_TIMEOUT: 'It ran for longer than runTimeoutSeconds.',
    CANCEL_TIMEOUT: 'Its devices did not let go within cancelTimeoutSeconds.',
    PREEMPTED: 'It had to make room for other work.',
    RELEASED: 'The device gave it back unfinished.',
    QUORUM_REACHED: 'As many devices as the round needs have submitted their models.',
    QUORUM_UNREACHABLE: 'Too few devices are left for the round to succeed.',
    TERMINATION_CRITERION: 'A criterion for the end of the federated job holds.',
    CONTAINER_CREATING: 'Its device fetches or builds the image, and makes the container.',
    CONTAINER_STARTED: 'Its container was made, and runs its command.',
    IMAGE_PULL_FAILED: 'The image of its container could not be fetched.',
    OUT_OF_MEMORY: 'It used more memory than it was given.',
    JOB_ENDED: 'Its job ended.',
  },
);

export const AttemptOutcome = describeEnum<AttemptOutcomeWord>('AttemptOutcome', 'How one try at a step ended.', {
  RUNNING: 'It has not ended: this attempt holds the step.',
  SUCCEEDED: 'The device completed the step.',
  FAILED: 'The device reported a failure.',
  CANCELLED: 'The job was cancelled.',
  RELEASED: 'The device gave the step back; it does not count as a try.',
  PREEMPTED: 'The step had to make room for other work; it does not count as a try.',
  LOST: 'The lease expired: the device was not heard of any more.',
});

export const FragmentType = describeEnum<FragmentTypeWord>('FragmentType', 'What a file is.', {
  METRICS: 'Numbers that training or validation measured.',
  BUILD_LOGS: 'The log of a build or a run.',
  MODEL: 'A trained model.',
  DATA: 'Data that was read or made.',
  OUTPUT: 'The result document of a job.',
});

export const IfExists = describeEnum<IfExistsWord>('IfExists', 'What becomes of a file that is announced under a name that is taken.', {
  REFUSE: 'It is refused with ALREADY_EXISTS.',
  REPLACE: 'It takes the place of the one that is there, in the moment in which its bytes are whole; until then that one stays.',
});

export const FragmentStatus = describeEnum<FragmentStatusWord>('FragmentStatus', 'Whether the bytes of a file are here.', {
  PENDING: 'Announced; its bytes are not all here.',
  READY: 'Whole, checked and stored.',
});

export const LogStream = describeEnum<LogStreamWord>('LogStream', 'Where a line of the log comes from.', {
  STDOUT: "The program's standard output.",
  STDERR: "The program's standard error.",
  SYSTEM: 'The agent that runs the program.',
});

export const DeviceKind = describeEnum<DeviceKindWord>('DeviceKind', 'What part a device takes.', {
  WORKER: 'A machine that claims queued steps.',
  EDGE: 'One that takes part in federated rounds with data of its own.',
});

export const DeviceStatus = describeEnum<'ONLINE' | 'OFFLINE' | 'DRAINING'>('DeviceStatus', 'Whether a device can be counted on.', {
  ONLINE: 'Seen within the heartbeat interval.',
  OFFLINE: 'Not seen for longer than the heartbeat interval.',
  DRAINING: 'Finishes what it holds and claims nothing more.',
});

export const PrincipalKind = describeEnum<PrincipalKindWord>('PrincipalKind', 'Whom a key is for.', {
  USER: 'A person or a program of theirs; its role says what it may do.',
  DEVICE: 'One device: claims steps and reports on them.',
  JOB: 'What runs inside one job: reads that job and reports on it.',
  WATCH: 'Reads one job and its streams, nothing else; for a browser or a shared link.',
});

export const Role = describeEnum<RoleWord>('Role', 'What a USER key may do in its project, or in all projects.', {
  VIEWER: 'Reads.',
  EDITOR: 'Reads, and creates and changes jobs, fragments and devices.',
  ADMIN: 'All of it, keys and projects included.',
});

export const EventType = describeEnum<EventTypeWord>('EventType', 'The kinds of events, to filter by.', {
  JOB_CREATED: 'A job was made: JobCreatedEvent.',
  JOB_STATUS_CHANGED: 'The status of a job changed: JobStatusChangedEvent.',
  STEPS_ADDED: 'Steps were added to a job: StepsAddedEvent.',
  STEP_STATUS_CHANGED: 'The status of a step changed: StepStatusChangedEvent.',
  FRAGMENT_READY: 'A file of a job is whole: FragmentReadyEvent.',
  JOB_UPDATED: "A job's own fields changed: JobUpdatedEvent.",
  ROUND_CHANGED: 'A round of a federated job started, went on or ended: RoundChangedEvent.',
});

export const DeviceSelectionStrategy = describeEnum<DeviceSelectionStrategyWord>(
  'DeviceSelectionStrategy',
  'How the devices of a round are selected.',
  { RANDOM: 'At random and without replacement, from a seed that is kept, so that a selection can be replayed.' },
);

export const RoundStatus = describeEnum<RoundStatusWord>(
  'RoundStatus',
  'How far a round has come. SUCCEEDED, FAILED and CANCELLED are its ends.',
  {
    TRAINING: 'Its devices train; as many models as it needs are not in yet.',
    AGGREGATING: 'Its models are in, and are being made one.',
    SUCCEEDED: 'It has its aggregate.',
    FAILED: 'It could not have its models, or they could not be made one; or its job failed otherwise.',
    CANCELLED: 'Its job was cancelled, or came to the end of its duration.',
  },
);

export const ParticipantStatus = describeEnum<ParticipantStatusWord>('ParticipantStatus', 'How far a device has come in a round.', {
  INVITED: 'It was selected; its step waits for it.',
  TRAINING: 'It has claimed its step.',
  SUBMITTED: 'Its model came in time.',
  LATE: 'Its model came after the round had those that it needed, or after the job had succeeded: kept, and no part of the aggregate.',
  DROPPED: 'It handed in nothing: it failed, it was not seen any more, or was not needed any more.',
});

export const StepPart = describeEnum<StepPartWord>('StepPart', 'What a step of a federated job does in its round.', {
  TRAIN: 'Trains on one device, on the data that it has, and hands in a model.',
  AGGREGATE: 'Makes one model of those that came in.',
});

export const ComparisonOperator = describeEnum<ComparisonOperatorWord>('ComparisonOperator', 'How a number compares with a threshold.', {
  LT: 'Less than it.',
  LTE: 'Less than it, or equal.',
  GT: 'Greater than it.',
  GTE: 'Greater than it, or equal.',
});
