/**
 * What Trainyard promises, as docs/promises.md prints it. A test that proves a promise names it in
 * its title or in its file's first comment: (P7).
 */
export const promises = {
  P1: ['durable', 'An answered mutation survives kill -9 and power loss (SQLite synchronous=FULL, PostgreSQL synchronous_commit=on).'],
  P2: [
    'one holder',
    'A step is held by at most one lease at a time; its attempts are numbered 1, 2, 3 …, and claims in a race have one winner.',
  ],
  P3: [
    'fenced',
    'A request under a lease that is no longer current (complete, fail, log, metrics, fragment) changes nothing and answers STALE_LEASE.',
  ],
  P4: [
    'recorded once',
    'A step reaches one terminal status, once. Its code may run more than once (lost devices); Trainyard never claims "exactly once" for execution.',
  ],
  P5: [
    'reclaimed',
    'The step of a dead device can be claimed by another within its lease time plus one second; watchers see LEASE_EXPIRED by then.',
  ],
  P6: [
    'idempotent',
    'The same idempotency key and input: the first result, marked as replay. Another input: IDEMPOTENCY_CONFLICT. In parallel: one takes effect.',
  ],
  P7: [
    'streams',
    'A subscriber that passes its last cursor gets every event in order, without gap or repetition: through history, the switch to live, reconnects and restarts. Across jobs the feed is in commit order.',
  ],
  P8: ['honest gaps', 'Events past retention are counted in `missed`. A cursor that this store never issued is refused, not guessed at.'],
  P9: [
    'isolation',
    'A slow or dead consumer holds at most one batch in memory, counted in bytes, is disconnected after 30 s without progress, and delays no other. Unsent data is bounded per socket, per key and per process.',
  ],
  P10: ['cancel lands', 'CANCELLING always ends: when the devices give up their steps, or at the cancel timeout.'],
  P11: [
    'restart',
    'SIGTERM: no new claims, sockets closed with 1012 spread over a few seconds, exit within 15 s. Clients resume where they were.',
  ],
  P12: [
    'full disk',
    'Writes fail with a clear error, no answered change is lost, reads and streams go on, and writes resume when there is space.',
  ],
  P13: ['clocks', 'No promise above depends on wall clocks; a jump only makes a lease longer or shorter.'],
  P14: ['bad input', 'Any input gets data or a typed refusal that names the field: no 5xx, no unmasked message, no hang, memory flat.'],
  P15: [
    'rights',
    'A key sees and does what its kind, role, project and job allow, over HTTP, sockets and files alike. When it expires or is revoked, open streams end within 5 s.',
  ],
  P16: [
    'hostile steps',
    "No file, name, link or output of a step makes its device or the gateway read, run or show what is not the step's: no file of the device, no token, no flag of a program, no slot of another step.",
  ],
  P17: [
    'over',
    'A step ends only when every process it started has ended, however it ends: success, failure, cancel, timeout, preemption, lost lease, or a stop of the agent. Its slot is then free, even if something hangs.',
  ],
  P18: [
    'handed in',
    'However a step ends, its files, metrics and log are delivered within the grace, or the log says what was not and why. An outcome is never lost because of its text.',
  ],
  P19: [
    'no scan',
    'At a million jobs, no request and no timer reads a growing table from end to end, or holds the event loop for more than 20 ms.',
  ],
} as const satisfies Record<string, readonly [name: string, text: string]>;
export type PromiseName = keyof typeof promises;
