/** What an agent reports while it runs: `message` for a log line, the rest for a program. */
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
