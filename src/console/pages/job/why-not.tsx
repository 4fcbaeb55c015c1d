/** What a queued step waits for: the gateway's own answer, read again when the job changes. */
import { useEffect } from 'preact/hooks';
import { WhyNotDocument } from '../../generated.ts';
import { useQuery } from '../../streams/query.ts';
import type { LiveJob } from './job.tsx';

const SHOWN_REASONS = 3;

interface WhyNotProps {
  readonly job: Pick<LiveJob, 'updatedAt'> & { readonly steps: readonly Pick<LiveJob['steps'][number], 'id' | 'name' | 'status'>[] };
}

export function WhyNot({ job }: WhyNotProps) {
  const waiting = job.steps.find(({ status }) => status === 'QUEUED');
  const { data, refresh } = useQuery(WhyNotDocument, waiting ? { stepId: waiting.id } : null);
  useEffect(refresh, [job.updatedAt, refresh]);
  const reasons = data.value?.step?.whyNot ?? [];
  if (!waiting || reasons.length === 0) return null;
  return (
    <div class="why-not">
      <p>
        <b>{waiting.name}</b> waits:
      </p>
      <ul>
        {reasons.slice(0, SHOWN_REASONS).map(({ requirement, explanation, device }) => (
          <li key={`${requirement} ${device?.id}`}>
            {device && <a href={`/devices/${device.id}`}>{device.name}</a>} {explanation}
          </li>
        ))}
        {reasons.length > SHOWN_REASONS && <li class="muted">and {reasons.length - SHOWN_REASONS} more</li>}
      </ul>
    </div>
  );
}
