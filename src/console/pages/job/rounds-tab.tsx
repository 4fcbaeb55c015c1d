/** The rounds of a federated job: which device took part, how it went, and what came of it. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { ModelFile } from '../../components/model-file.tsx';
import { Empty, Panel, Problem, Skeleton } from '../../components/panel.tsx';
import { Status } from '../../components/status.tsx';
import { Took } from '../../components/time.tsx';
import { formatValue } from '../../format/numbers.ts';
import { formatDuration, formatExact, secondsBetween } from '../../format/time.ts';
import { JobRoundsDocument, type JobRoundsQuery, type ParticipantStatus } from '../../generated.ts';
import { now } from '../../streams/clock.ts';
import { useQuery } from '../../streams/query.ts';
import { useRefreshOn } from '../../streams/refresh.ts';
import { viewer } from '../../streams/viewer.ts';
import type { LiveJob } from './job.tsx';

type Federation = NonNullable<NonNullable<JobRoundsQuery['job']>['federation']>;
type Round = Federation['rounds'][number];

export function RoundsTab({ job }: { readonly job: LiveJob }) {
  const { data, error, refresh } = useQuery(JobRoundsDocument, { id: job.id });
  // The job's stream delivers it again when a step of a round changes.
  const delivered = useSignal<unknown>(job);
  useEffect(() => {
    delivered.value = job;
  }, [job, delivered]);
  useRefreshOn(delivered, refresh);
  if (error.value) return <Problem error={error.value} onRetry={refresh} />;
  if (!data.value) return <Skeleton rows={8} />;
  const federation = data.value.job?.federation;
  if (!federation) return <Empty>The job is not federated.</Empty>;
  const { rounds, aggregateModel } = federation;
  return (
    <div class="grid below-tabs">
      <Panel title="Rounds by devices" aside={<Legend />}>
        {rounds.length === 0 ? (
          <Empty>No round has begun: the job waits in its experiment, or for devices.</Empty>
        ) : (
          <Grid jobId={job.id} rounds={rounds} />
        )}
      </Panel>
      <Panel title="Rule" columns={6}>
        <Rule federation={federation} />
      </Panel>
      <Panel title="Aggregate so far" columns={6}>
        {aggregateModel ? <ModelFile file={aggregateModel} /> : <Empty>No round has succeeded yet.</Empty>}
      </Panel>
    </div>
  );
}

const participantStatuses: readonly ParticipantStatus[] = ['INVITED', 'TRAINING', 'SUBMITTED', 'LATE', 'DROPPED'];

function Legend() {
  return (
    <span class="legend wide">
      {participantStatuses.map((status) => (
        <Status key={status} status={status} />
      ))}
    </span>
  );
}

/** Newest round first. Each device that ever took part has a column. */
function Grid({ jobId, rounds }: { readonly jobId: string; readonly rounds: readonly Round[] }) {
  const devices = [
    ...new Map(rounds.flatMap(({ participants }) => participants.map(({ device }) => [device.id, device] as const))).values(),
  ].sort((one, other) => one.name.localeCompare(other.name, 'en', { numeric: true }));
  const metrics = [...new Set(rounds.flatMap((round) => Object.keys(round.metrics)))].sort();
  const isWatcher = viewer.value?.kind === 'WATCH';
  return (
    <div class="scrolls">
      <table class="rounds">
        <thead>
          <tr>
            <th scope="col">Round</th>
            <th scope="col" class="right">
              Models
            </th>
            {devices.map(({ id, name }) => (
              <th scope="col" class="cell" key={id}>
                {isWatcher ? name : <a href={`/devices/${id}`}>{name}</a>}
              </th>
            ))}
            {metrics.map((name) => (
              <th scope="col" class="right mono" key={name}>
                {name}
              </th>
            ))}
            <th scope="col" class="right">
              Took
            </th>
            <th scope="col">Deadline</th>
          </tr>
        </thead>
        <tbody>
          {rounds.toReversed().map((round) => (
            <tr key={round.number}>
              <th scope="row">
                <Status status={round.status}>{round.number}</Status>
              </th>
              <td class="right mono" title={`${round.submitted} of the ${round.quorum} models that it needs`}>
                {round.submitted}/{round.quorum}
              </td>
              {devices.map(({ id }) => {
                const participant = round.participants.find(({ device }) => device.id === id);
                return (
                  <td class="cell" key={id}>
                    {participant ? (
                      <a href={`/jobs/${jobId}#s${participant.step.number}a1`}>
                        <Status status={participant.status} />
                      </a>
                    ) : (
                      <span class="faint">–</span>
                    )}
                  </td>
                );
              })}
              {metrics.map((name) => {
                const value = round.metrics[name];
                return (
                  <td class="right mono" key={name}>
                    {typeof value === 'number' ? formatValue(value) : <span class="faint">–</span>}
                  </td>
                );
              })}
              <td class="right">
                <Took from={round.startedAt} to={round.finishedAt} />
              </td>
              <td>
                <Deadline of={round} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Deadline({ of: { deadlineAt, finishedAt } }: { readonly of: Round }) {
  if (finishedAt !== null) return <span class="faint">–</span>;
  if (deadlineAt === null) return <span class="faint">none</span>;
  const left = secondsBetween(new Date(now.value).toISOString(), deadlineAt);
  return (
    <time dateTime={deadlineAt} class="muted" title={formatExact(deadlineAt)}>
      {left > 0 ? `in ${formatDuration(left)}` : 'over'}
    </time>
  );
}

function Rule({ federation }: { readonly federation: Federation }) {
  const { numDevices, numBufferDevices, roundDeadlineSeconds, terminationCriteria } = federation;
  return (
    <dl class="pairs">
      <dt>A round needs</dt>
      <dd>
        {numDevices} models, of {numDevices + numBufferDevices} devices
      </dd>
      <dt>It waits</dt>
      <dd>{roundDeadlineSeconds === null ? 'without a limit' : formatDuration(roundDeadlineSeconds)}</dd>
      <dt>The job ends</dt>
      <dd>
        {terminationCriteria.length === 0
          ? 'after one round'
          : terminationCriteria.map((criterion) => (
              <div key={`${criterion.__typename} ${describe(criterion)}`}>
                {describe(criterion)} {criterion.isMet && <span class="muted">(met)</span>}
              </div>
            ))}
      </dd>
    </dl>
  );
}

const comparisons = { GT: '>', GTE: '≥', LT: '<', LTE: '≤' } as const;

function describe(criterion: Federation['terminationCriteria'][number]): string {
  switch (criterion.__typename) {
    case 'RoundsCriterion':
      return `after ${criterion.maxRounds} rounds`;
    case 'DurationCriterion':
      return `after ${formatDuration(criterion.maxDurationSeconds)}`;
    case 'MetricCriterion':
      return `when ${criterion.metric} ${comparisons[criterion.operator]} ${formatValue(criterion.threshold)}`;
  }
}
