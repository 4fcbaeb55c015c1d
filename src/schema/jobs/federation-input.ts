import { builder } from '../core/builder.ts';
import { ComparisonOperator, DeviceSelectionStrategy } from '../core/enums.ts';
import { ContainerInput } from './containers.ts';

const MetricCriterionInput = builder.inputType('MetricCriterionInput', {
  description: 'A metric of rounds, and what it has to come to.',
  fields: (t) => ({
    metric: t.string({ required: true, description: 'The name of the metric, as devices or the aggregating step report it.' }),
    operator: t.field({ type: ComparisonOperator, required: true, description: 'How it has to compare.' }),
    threshold: t.float({ required: true, description: 'With what.' }),
  }),
});

const TerminationCriterionInput = builder.inputType('TerminationCriterionInput', {
  description: 'What ends a federated job as SUCCEEDED when it holds: exactly one of the three.',
  isOneOf: true,
  fields: (t) => ({
    maxDurationSeconds: t.float({
      description: 'It has lasted so many seconds since its first round started. What runs then is cancelled.',
    }),
    maxRounds: t.int({ description: 'So many rounds have succeeded: 1 to 10000.' }),
    metric: t.field({ type: MetricCriterionInput, description: 'After a round, a metric of it has come to something.' }),
  }),
});

export const FederationInput = builder.inputType('FederationInput', {
  description: 'Makes a job a federated one. Its devices are selected at once, from the edge devices of its project that are online.',
  fields: (t) => ({
    deviceSelectionStrategy: t.field({
      type: DeviceSelectionStrategy,
      required: true,
      defaultValue: 'RANDOM',
      description: 'How the devices of a round are selected.',
    }),
    numDevices: t.int({ required: true, description: 'How many models have to come in for a round to succeed: 1 to 1000.' }),
    numBufferDevices: t.int({
      required: true,
      defaultValue: 0,
      description: 'How many devices are selected beyond that, so that some may fail: with those above at most 1000.',
    }),
    selectionSeed: t.string({ description: 'Give that of another job to select as it did. Default: a new one.' }),
    terminationCriteria: t.field({
      type: [TerminationCriterionInput],
      required: true,
      defaultValue: [],
      description: 'Rounds go on until one of these holds: at most 20. Empty: one round.',
    }),
    roundDeadlineSeconds: t.float({
      description:
        'How long a round may wait for its models before it fails with QUORUM_UNREACHABLE, and the job with it. Default: for ever.',
    }),
    startModelFragmentId: t.id({
      description:
        'A READY fragment of type MODEL of the project, that the first round starts from. Default: that of its experiment, or none.',
    }),
    trainContainer: t.field({
      type: ContainerInput,
      description: "What the devices run. Default: the job's container; with neither, they know what to do.",
    }),
    aggregateContainer: t.field({
      type: ContainerInput,
      description:
        'What a worker runs to make one model of those that came in, in a step of its own. Default: the gateway takes the mean of tensors of type F16, ' +
        'BF16, F32 and F64. Whole numbers and booleans, such as the counter of a batch norm, are taken from the model with the most samples (from the ' +
        'first device selected, where a device gave no number). A tensor of any other type must stay as it is in the start model: a model that changes ' +
        'it is refused by name.',
    }),
  }),
});
