/** Metrics of the domain: claims, leases, and status changes of steps and jobs. */
import { Counter, Counters, Histogram, Histograms, type Instrument, Level, LONG_SECONDS } from '../../instruments/instruments.ts';

export class DomainInstruments {
  readonly claims = new Counters<'outcome'>({
    name: 'trainyard_claims_total',
    help: 'Claims for the next steps that came to an end: with steps, or empty',
  });
  readonly waitingClaims = new Level({ name: 'trainyard_claims_waiting', help: 'Claims that wait for work' });
  readonly queuedSeconds = new Histogram({
    name: 'trainyard_step_queue_seconds',
    help: 'How long steps had been queued when they were claimed',
    bounds: LONG_SECONDS,
  });
  readonly stepChanges = new Counters<'to' | 'reason'>({
    name: 'trainyard_step_changes_total',
    help: 'Changes of the status of steps, by the status that they led to and why',
  });
  readonly jobChanges = new Counters<'to' | 'reason'>({
    name: 'trainyard_job_changes_total',
    help: 'Changes of the status of jobs, by the status that they led to and why',
  });
  readonly renewedLeases = new Counter({ name: 'trainyard_leases_renewed_total', help: 'Renewals of leases' });
  readonly expiredLeases = new Counter({
    name: 'trainyard_leases_expired_total',
    help: 'Leases that ran out: their devices were taken for lost',
  });
  readonly refusals = new Counters<'mutation' | 'code'>({
    name: 'trainyard_refusals_total',
    help: 'Mutations that were answered with an expected refusal, by its code; STALE_LEASE is work that was fenced out',
  });
  readonly aggregations = new Histograms<'outcome'>({
    name: 'trainyard_aggregation_seconds',
    help: 'What the aggregator of this gateway took to average the models of a round, or until it gave up',
    bounds: LONG_SECONDS,
  });

  all(): readonly Instrument[] {
    return Object.values(this);
  }
}
