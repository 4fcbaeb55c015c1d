import { builder } from '../core/builder.ts';
import { ComparisonOperator, DeviceSelectionStrategy } from '../core/enums.ts';
import { ContainerInput } from './containers.ts';

const MetricCriterionInput = builder.inputType('MetricCriterionInput', {
  description: 'A condition on a metric of a round.',
  fields: (t) => ({
    metric: t.string({ required: true, description: 'The name of the metric, as the devices or the aggregating step report it.' }),
    operator: t.field({ type: ComparisonOperator, required: true, description: 'How the metric must compare with the threshold.' }),
    threshold: t.float({ required: true, description: 'The threshold.' }),
  }),
});

const TerminationCriterionInput = builder.inputType('TerminationCriterionInput', {
  description: 'A condition that ends a federated job as SUCCEEDED. Give exactly one of the three.',
  isOneOf: true,
  fields: (t) => ({
    maxDurationSeconds: t.float({
      description: 'It holds this many seconds after the first round started. Running steps are then cancelled.',
    }),
    maxRounds: t.int({ description: 'It holds after this many rounds have succeeded: 1 to 10000.' }),
    metric: t.field({ type: MetricCriterionInput, description: 'It holds when a metric of a finished round passes a threshold.' }),
  }),
});

export const FederationInput = builder.inputType('FederationInput', {
  description: 'Makes a job federated. Its devices are selected at once from the edge devices of its project that are online.',
  fields: (t) => ({
    deviceSelectionStrategy: t.field({
      type: DeviceSelectionStrategy,
      required: true,
      defaultValue: 'RANDOM',
      description: 'How the devices of a round are selected.',
    }),
    numDevices: t.int({ required: true, description: 'How many models a round needs to succeed: 1 to 1000.' }),
    numBufferDevices: t.int({
      required: true,
      defaultValue: 0,
      description: 'How many extra devices are selected, so that some may fail. With numDevices at most 1000.',
    }),
    selectionSeed: t.string({
      description: 'The seed of the selection. Pass the seed of another job to reproduce its selection. Default: a new one.',
    }),
    terminationCriteria: t.field({
      type: [TerminationCriterionInput],
      required: true,
      defaultValue: [],
      description: 'Rounds continue until one of these holds: at most 20. Empty: one round.',
    }),
    roundDeadlineSeconds: t.float({
      description: 'How long a round waits for its models before it and the job fail with QUORUM_UNREACHABLE. Default: no limit.',
    }),
    startModelFragmentId: t.id({
      description:
        'The model that the first round starts from: a READY fragment of type MODEL in the project. Default: the model of its ' +
        'experiment, or none.',
    }),
    trainContainer: t.field({
      type: ContainerInput,
      description: "What the devices run. Default: the job's container. Without either, the devices implement training themselves.",
    }),
    aggregateContainer: t.field({
      type: ContainerInput,
      description:
        'What a worker runs, in a step of its own, to combine the submitted models into one. Default: the gateway takes the mean of ' +
        'tensors of type F16, BF16, F32 and F64. Integers and booleans, such as the counter of a batch norm, are taken from the ' +
        'model with the most samples (from the first selected device, if any device gave no number). A tensor of any other type must ' +
        'stay as it is in the start model: a model that changes one is refused, with the names of those tensors.',
    }),
  }),
});
