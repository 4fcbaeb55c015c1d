/** The enums, made from the domain's lists. A value without a description does not compile. */

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

/** Defines an enum whose values have the same names in the store and in the API. */
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

export const JobStatus = describeEnum<JobStatusWord>('JobStatus', 'The status of a job. SUCCEEDED, FAILED and CANCELLED are final.', {
  BLOCKED: 'It waits for an earlier job of its experiment.',
  QUEUED: 'No step has been claimed yet.',
  RUNNING: 'At least one step has been claimed, and work remains.',
  SUSPENDED: 'It was preempted: none of its steps runs, and its work is queued again.',
  CANCELLING:
    'It is being cancelled, and a device still holds one of its steps. Either someone cancelled it, or it ran for too long: then ' +
    'its reason is RUN_TIMEOUT, and it ends as FAILED.',
  SUCCEEDED: 'All its steps have succeeded.',
  FAILED: 'A step failed for good, or the job ran into one of its timeouts.',
  CANCELLED: 'Someone cancelled it.',
});

export const StepStatus = describeEnum<StepStatusWord>(
  'StepStatus',
  'The status of a step. SUCCEEDED, FAILED, CANCELLED and SKIPPED are final.',
  {
    BLOCKED: 'It waits for an earlier step of its job.',
    QUEUED: 'A device that meets its requirements can claim it.',
    RUNNING: 'A device holds it under a lease.',
    CANCELLING: 'Its device has been told to stop and still holds the lease.',
    SUCCEEDED: 'Its device completed it.',
    FAILED: 'It used up its attempts, its devices were lost too often, or it ran out of time.',
    CANCELLED: 'It had been claimed when its job was cancelled.',
    SKIPPED: 'It never ran: its job ended first.',
  },
);

export const ItemValueType = describeEnum<ItemValueTypeWord>('ItemValueType', 'The type of an item, whose value is given as text.', {
  INT: 'A whole number.',
  FLOAT: 'A floating-point number.',
  NUMBER: 'A number, whole or fractional.',
  TEXT: 'Any text.',
  MULTI: 'One of the options that the application defines.',
  BOOL: '`true` or `false`.',
  STRING_ARRAY: 'A list of strings, as JSON.',
});

export const SettingSource = describeEnum<SettingSourceWord>('SettingSource', 'Where the value of a setting or an item came from.', {
  DEFAULT: 'No value was given, so the default applies.',
  GIVEN: 'It was given with the job.',
  OVERRIDE: 'It was overridden by its dot path.',
});

export const RunKind = describeEnum<RunKindWord>('RunKind', 'How a device runs the command of a step.', {
  PROCESS: 'As a process on the device. The step has a command and no image.',
  CONTAINER: 'In a container. The step has an image, or says how to build one.',
});

export const StatusReason = describeEnum<StatusReasonWord>(
  'StatusReason',
  'Why a job, step or attempt has its status, for programs. The `description` next to it is for people.',
  {
    CREATED: 'It was created.',
    BLOCKED_BY_STEP: 'An earlier step has not ended.',
    BLOCKED_BY_JOB: 'An earlier job of the experiment has not ended.',
    CLAIMED: 'A device claimed it.',
    COMPLETED: 'The work was done.',
    DEVICE_REPORTED: 'The device reported it without an exit code.',
    EXIT_CODE: 'The program ended with an exit code other than 0.',
    USER_REQUESTED: 'A user or program requested it.',
    LEASE_EXPIRED: 'The device did not renew its lease in time.',
    ATTEMPTS_EXHAUSTED: 'It used up its attempts.',
    SCHEDULE_TIMEOUT: 'It stayed queued for longer than scheduleTimeoutSeconds.',
    RUN_TIMEOUT: 'It ran for longer than runTimeoutSeconds.',
    CANCEL_TIMEOUT: 'Its devices did not stop within cancelTimeoutSeconds.',
    PREEMPTED: 'It made room for more urgent work.',
    RELEASED: 'The device returned it unfinished.',
    QUORUM_REACHED: 'The round has as many models as it needs.',
    QUORUM_UNREACHABLE: 'Too few devices are left for the round to succeed.',
    TERMINATION_CRITERION: 'A termination criterion of the federated job was met.',
    CONTAINER_CREATING: 'Its device is pulling or building the image and creating the container.',
    CONTAINER_STARTED: 'Its container is running.',
    IMAGE_PULL_FAILED: 'The image of its container could not be pulled.',
    OUT_OF_MEMORY: 'It used more memory than it was allowed.',
    JOB_ENDED: 'Its job ended.',
  },
);

export const AttemptOutcome = describeEnum<AttemptOutcomeWord>('AttemptOutcome', 'How one attempt at a step ended.', {
  RUNNING: 'The attempt has not ended: it holds the step.',
  SUCCEEDED: 'The device completed the step.',
  FAILED: 'The device reported a failure.',
  CANCELLED: 'The job was cancelled.',
  RELEASED: 'The device returned the step. This does not count against maxAttempts.',
  PREEMPTED: 'The step made room for more urgent work. This does not count against maxAttempts.',
  LOST: 'The lease expired: the device did not renew it in time.',
});

export const FragmentType = describeEnum<FragmentTypeWord>('FragmentType', 'What a file contains.', {
  METRICS: 'Measurements from training or validation.',
  BUILD_LOGS: 'The log of a build or a run.',
  MODEL: 'A trained model.',
  DATA: 'Input or output data.',
  OUTPUT: 'The result document of a job.',
});

export const IfExists = describeEnum<IfExistsWord>('IfExists', 'What createFragment does when the job already has a file of that name.', {
  REFUSE: 'Refuse with ALREADY_EXISTS.',
  REPLACE: 'Replace the existing file once all bytes of the new one have arrived. Until then the existing file stays.',
  REUSE:
    'Return the existing file if it has the given `sha256`, and refuse with ALREADY_EXISTS otherwise. If its bytes are stored, ' +
    'there is nothing to upload: `uploadUrl` is null.',
});

export const FragmentStatus = describeEnum<FragmentStatusWord>('FragmentStatus', 'Whether the bytes of a file have been uploaded.', {
  PENDING: 'The file was announced. Its bytes have not all arrived.',
  READY: 'All bytes have been received, verified and stored.',
});

export const LogStream = describeEnum<LogStreamWord>('LogStream', 'The source of a piece of the log.', {
  STDOUT: "The program's standard output.",
  STDERR: "The program's standard error.",
  SYSTEM: 'Messages of the agent that runs the program.',
});

export const DeviceKind = describeEnum<DeviceKindWord>('DeviceKind', 'The role of a device.', {
  WORKER: 'A machine that claims any queued steps it can run.',
  EDGE: 'A machine that takes part in federated rounds with its own data.',
});

export const DeviceStatus = describeEnum<'ONLINE' | 'OFFLINE' | 'DRAINING'>('DeviceStatus', 'Whether a device is available.', {
  ONLINE: 'Seen within the heartbeat interval.',
  OFFLINE: 'Not seen for longer than the heartbeat interval.',
  DRAINING: 'It finishes the steps that it holds and claims no more.',
});

export const PrincipalKind = describeEnum<PrincipalKindWord>('PrincipalKind', 'Who uses a key.', {
  USER: 'A person or their program. Its role says what it may do.',
  DEVICE: 'One device. It claims steps and reports on them.',
  JOB: 'The code inside one job. It reads that job and reports on it.',
  WATCH: 'A browser or the holder of a shared link. It reads one job and its streams, and nothing else.',
});

export const Role = describeEnum<RoleWord>('Role', 'What a USER key may do, in its project or in all projects.', {
  VIEWER: 'May read.',
  EDITOR: 'May read, and create and change jobs, files and devices.',
  ADMIN: 'May do everything, including managing keys and projects.',
});

export const EventType = describeEnum<EventTypeWord>('EventType', 'The types of events, for filters.', {
  JOB_CREATED: 'A job was created: JobCreatedEvent.',
  JOB_STATUS_CHANGED: 'The status of a job changed: JobStatusChangedEvent.',
  STEPS_ADDED: 'Steps were added to a job: StepsAddedEvent.',
  STEP_STATUS_CHANGED: 'The status of a step changed: StepStatusChangedEvent.',
  FRAGMENT_READY: 'A file of a job was fully uploaded: FragmentReadyEvent.',
  JOB_UPDATED: "A job's own fields changed: JobUpdatedEvent.",
  ROUND_CHANGED: 'A round of a federated job changed its status: RoundChangedEvent.',
  JOB_DELETED: 'A job was deleted: JobDeletion, in the events of all jobs.',
});

export const DeviceSelectionStrategy = describeEnum<DeviceSelectionStrategyWord>(
  'DeviceSelectionStrategy',
  'How the devices of a round are selected.',
  { RANDOM: 'At random, without replacement. The seed is stored, so a selection can be reproduced.' },
);

export const RoundStatus = describeEnum<RoundStatusWord>(
  'RoundStatus',
  'The status of a round. SUCCEEDED, FAILED and CANCELLED are final.',
  {
    TRAINING: 'Its devices are training. Fewer models have arrived than the quorum.',
    AGGREGATING: 'The quorum of models has arrived, and they are being aggregated.',
    SUCCEEDED: 'Its aggregate model is stored.',
    FAILED: 'Too few models arrived, the models could not be aggregated, or its job failed for another reason.',
    CANCELLED: 'Its job was cancelled, or reached its maximum duration.',
  },
);

export const ParticipantStatus = describeEnum<ParticipantStatusWord>('ParticipantStatus', 'The progress of a device in a round.', {
  INVITED: 'The device was selected and has not claimed its step.',
  TRAINING: 'The device has claimed its step.',
  SUBMITTED: 'Its model arrived in time.',
  LATE:
    'Its model arrived after the quorum was reached or the job had succeeded. The model is kept, but is not part of the ' + 'aggregate.',
  DROPPED: 'It submitted no model: it failed, disappeared, or was no longer needed.',
});

export const StepPart = describeEnum<StepPartWord>('StepPart', 'What a step of a federated job does in its round.', {
  TRAIN: "Trains on one device with that device's data and submits a model.",
  AGGREGATE: 'Combines the submitted models into one.',
});

export const ComparisonOperator = describeEnum<ComparisonOperatorWord>('ComparisonOperator', 'How a number compares with a threshold.', {
  LT: 'Less than the threshold.',
  LTE: 'Less than or equal to the threshold.',
  GT: 'Greater than the threshold.',
  GTE: 'Greater than or equal to the threshold.',
});
