/** What an agent tells of itself while it runs: for a log line (`message`) or a program. */
export interface AgentEvent {
  readonly kind:
    | 'REGISTERED'
    | 'ORPHANS_REMOVED'
    | 'CONTAINMENT'
    | 'PROBLEM'
    | 'OFFER_CHANGED'
    | 'CLAIMED'
    | 'ENDED'
    | 'REPORT_FAILED'
    | 'GATEWAY_AWAY'
    | 'GATEWAY_BACK'
    | 'DRAINING'
    | 'STOPPING'
    | 'STOPPED';
  /** A sentence for people. */
  readonly message: string;
  readonly deviceId?: string;
  readonly jobId?: string;
  readonly stepNumber?: number;
  readonly attempt?: number;
}
