/** Everything that happened to the job, newest first, from the store's own record. */
import { Empty, Problem, Skeleton } from '../../components/panel.tsx';
import { wordOf } from '../../components/status.tsx';
import { Ago } from '../../components/time.tsx';
import { formatBytes, plural } from '../../format/numbers.ts';
import { JobEventsDocument, type JobEventsSubscription } from '../../generated.ts';
import { useLive } from '../../streams/live.ts';
import type { LiveJob } from './job.tsx';

type JobEvent = JobEventsSubscription['events']['events'][number];

/** Older ones are let go of: a job of a thousand steps has ten thousand. */
const KEPT_EVENTS = 2_000;

export function EventsTab({ job }: { readonly job: LiveJob }) {
  const { value, error } = useLive(JobEventsDocument, { id: job.id }, (events: readonly JobEvent[] | undefined, frame) =>
    [...(events ?? []), ...frame.events].slice(-KEPT_EVENTS),
  );
  if (error.value) return <Problem error={error.value} />;
  if (!value.value) return <Skeleton rows={6} />;
  if (value.value.length === 0) return <Empty>Nothing happened yet.</Empty>;
  return (
    <table class="events">
      <thead>
        <tr>
          <th>When</th>
          <th>What</th>
          <th class="wide">By</th>
        </tr>
      </thead>
      <tbody>
        {value.value.toReversed().map((event) => (
          <tr key={event.cursor}>
            <td>
              <Ago at={event.at} />
            </td>
            <td class="breaks">{describe(event)}</td>
            <td class="wide muted">{event.actor}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function describe(event: JobEvent) {
  switch (event.__typename) {
    case 'JobCreatedEvent':
      return 'The job was created.';
    case 'JobStatusChangedEvent':
      return (
        <>
          The job: {arrow(event.fromJob, event.toJob)} {because(event)}
        </>
      );
    case 'StepStatusChangedEvent':
      return (
        <>
          {event.step.name}
          {event.attempt !== null && `, attempt ${event.attempt}`}: {arrow(event.fromStep, event.toStep)} {because(event)}
        </>
      );
    case 'JobUpdatedEvent':
      return `Changed: ${event.changed.join(', ')}`;
    case 'StepsAddedEvent':
      return `${plural(event.steps.length, 'step')} added: ${event.steps.map(({ name }) => name).join(', ')}`;
    case 'FragmentReadyEvent':
      return `File ${event.fragment.filename}${event.fragment.sizeBytes === null ? '' : `, ${formatBytes(event.fragment.sizeBytes)}`}`;
    case 'RoundChangedEvent':
      return `Round ${event.round.number}: ${arrow(event.fromRound ?? 'new', event.toRound)}`;
    default:
      return '';
  }
}

const arrow = (from: string, to: string): string => (from === to ? wordOf(to) : `${wordOf(from)} → ${wordOf(to)}`);

function because({ reason, description, exitCode }: { reason: string; description: string; exitCode: number | null }) {
  const code = exitCode === null || exitCode === 0 ? '' : `, exit code ${exitCode}`;
  return (
    <span class="muted">
      {wordOf(reason).toLowerCase()}
      {code}
      {description && `: ${description}`}
    </span>
  );
}
