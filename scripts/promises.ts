/** What Trainyard promises, in the words of docs/promises.md. A test that proves one names it in its title, or in its file's first comment: (P7). */
export const promises = {
  P1: [
    'durable',
    'A mutation that was answered survives kill -9 and power loss (SQLite synchronous=FULL, PostgreSQL synchronous_commit=on).',
  ],
  P2: [
    'one holder',
    'A step is held by at most one lease at a time; its attempts are numbered 1, 2, 3 …, and claims in a race have one winner.',
  ],
  P3: [
    'fenced',
    'Whatever comes with a lease that is no longer current (complete, fail, log, metrics, fragment) changes nothing and answers STALE_LEASE.',
  ],
  P4: [
    'recorded once',
    'A step reaches one terminal status, once. Its code may run more than once (lost devices); Trainyard never says "exactly once" of execution.',
  ],
  P5: [
    'reclaimed',
    'The step of a dead device can be claimed by another within its lease time plus one second; who watches sees LEASE_EXPIRED by then.',
  ],
  P6: [
    'idempotent',
    'The same idempotency key and input: the first result, marked as replay. Another input: IDEMPOTENCY_CONFLICT. In parallel: one takes effect.',
  ],
  P7: [
    'streams',
    'In order, without hole or repetition, over history, the seam to live, reconnects and restarts, for whoever passes the last cursor. Across jobs the feed is in commit order.',
  ],
  P8: ['honest gaps', 'What is past retention is counted in `missed`. A cursor that this store never gave is refused, not guessed.'],
  P9: [
    'isolation',
    'A slow or dead consumer costs at most one batch of memory, counted in bytes, is let go after 30 s without progress, and delays nobody. What waits unsent is bounded for a socket, a key and the process.',
  ],
  P10: ['cancel lands', 'CANCELLING always ends: when devices let go, or at the cancel timeout.'],
  P11: [
    'restart',
    'SIGTERM: no new claims, sockets closed with 1012 spread over a few seconds, exit within 15 s. Clients go on where they were.',
  ],
  P12: [
    'full disk',
    'Writes fail with a clear error, nothing answered is lost, reads and streams go on, and writing resumes when there is room.',
  ],
  P13: ['clocks', 'No promise above depends on wall clocks; a jump only makes a lease longer or shorter.'],
  P14: ['bad input', 'Any input gets data or a typed refusal that names the field: no 5xx, no unmasked message, no hang, memory flat.'],
  P15: [
    'rights',
    'A key sees and does what its kind, role, project and job allow, on HTTP, on sockets and in files alike; when it expires or is revoked, open streams end within 5 s.',
  ],
  P16: [
    'hostile steps',
    "Nothing that a step writes, names, links or prints makes its device or the gateway read, run or show what is not the step's: no file of the device, no token, no flag of a program, no other's slot.",
  ],
  P17: [
    'over',
    "A step is over when everything it started is over, on every way out: end, cancel, timeout, preemption, lost lease, agent's stop. Its slot is free then, whatever hangs.",
  ],
  P18: [
    'handed in',
    'On every way out, what the step left (files, metrics, log) is handed in within the grace, or the log says what was not and why. An outcome is never lost over the words that tell it.',
  ],
  P19: [
    'no scan',
    'No request and no timer reads a table that grows from end to end, or holds the event loop for more than 20 ms, at a million jobs.',
  ],
} as const satisfies Record<string, readonly [name: string, text: string]>;
export type PromiseName = keyof typeof promises;
