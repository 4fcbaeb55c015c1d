/**
 * What enters a running step: links to its HTTP port, commands and forwarded ports. Each is decided
 * here, recorded in the audit trail, and used through the tunnel of the step's device
 * (server/tunnel).
 */

import { stepByNumber } from '../../store/queries/rows.ts';
import { heldSteps } from '../../store/queries/steps.ts';
import type { JobRow, StepRow } from '../../store/schema/tables.ts';
import type { Queries } from '../../store/store.ts';
import { audit } from '../access/audit.ts';
import type { Principal } from '../access/principal.ts';
import { requireRight } from '../access/rights.ts';
import { visibleJob } from '../access/visible.ts';
import { change } from '../core/change.ts';
import { Checks } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import { isHeldStep } from '../core/lifecycle.ts';
import { wrongInput, wrongState } from '../core/refusals.ts';
import { forbidden } from '../core/request-refusals.ts';
import type { AuditAction, AuditChanges } from '../core/vocabulary.ts';
import { type Purpose, rightOfPurpose, type SignedGrant, signGrant } from './grants.ts';

const MOST_WORDS = 1_000;
const MOST_COMMAND_CHARACTERS = 65_536;
/** Of the command in the audit trail. */
const MOST_AUDITED = 1_000;

export interface StepChoice {
  jobId: string;
  /** Null: the only step that runs. */
  stepNumber?: number | null | undefined;
}

/** A session of `exec` or of a forwarded port. */
export interface StepSession extends SignedGrant {
  readonly url: string;
}

/** Where the sessions are, at the gateway. */
export const SESSION_PATH = '/steps/session';

/** Makes a link to the HTTP port of a running step. */
export async function openHttp(domain: Domain, principal: Principal, { jobId }: { jobId: string }) {
  const { token, expiresAt } = await enter(domain, principal, { jobId }, { kind: 'HTTP' }, { action: 'HTTP_OPENED' });
  return { url: `/jobs/${jobId}/http~${token}/`, expiresAt };
}

/** Lets the caller run a command in a running step. */
export async function execInStep(
  domain: Domain,
  principal: Principal,
  { command, ...choice }: StepChoice & { command: readonly string[] },
): Promise<{ session: StepSession }> {
  const checks = new Checks(domain);
  if (!command[0]) checks.refuse(['command'], 'must begin with the program to run.');
  if (command.length > MOST_WORDS) checks.refuse(['command'], `must have at most ${MOST_WORDS} words.`);
  if (command.join(' ').length > MOST_COMMAND_CHARACTERS)
    checks.refuse(['command'], `must have at most ${MOST_COMMAND_CHARACTERS} characters.`);
  if (command.some((word) => word.includes('\0'))) checks.refuse(['command'], 'must not contain NUL.');
  checks.done();
  const words = command.join(' ');
  const to = words.length > MOST_AUDITED ? `${words.slice(0, MOST_AUDITED)}…` : words;
  const recorded = { action: 'COMMAND_RUN', changes: { command: { to } } } as const;
  return { session: { url: SESSION_PATH, ...(await enter(domain, principal, choice, { kind: 'EXEC', command }, recorded)) } };
}

/** Lets the caller connect to a port of a running step. */
export async function forwardPort(
  domain: Domain,
  principal: Principal,
  { port, ...choice }: StepChoice & { port: number },
): Promise<{ session: StepSession }> {
  const checks = new Checks(domain);
  checks.range(['port'], port, 1, 65_535);
  checks.done();
  const recorded = { action: 'PORT_FORWARDED', changes: { port: { to: port } } } as const;
  return { session: { url: SESSION_PATH, ...(await enter(domain, principal, choice, { kind: 'FORWARD', port }, recorded)) } };
}

async function enter(
  domain: Domain,
  principal: Principal,
  choice: StepChoice,
  purpose: Purpose,
  { action, changes = {} }: { readonly action: AuditAction; readonly changes?: AuditChanges },
): Promise<SignedGrant> {
  const right = rightOfPurpose[purpose.kind];
  requireRight(principal, right);
  const { keyId } = principal;
  // A grant ends with its key, and a lease token has none.
  if (keyId === null) throw forbidden('open running steps');
  return change(domain, principal, async (change) => {
    const job = await visibleJob(change, principal, choice.jobId);
    const step = purpose.kind === 'HTTP' ? await findHttpStep(change.tx, job) : await chooseStep(change.tx, job, choice.stepNumber ?? null);
    const id = await audit(
      change,
      action,
      { type: 'JOB', id: job.id, name: job.name, projectId: job.projectId },
      { step: { to: step.number }, attempt: { to: step.attemptCount }, ...changes },
    );
    return signGrant(domain, { id, keyId }, step, purpose);
  });
}

/** The first running step of a job that has an HTTP port. */
export async function findHttpStep(queries: Queries, job: JobRow): Promise<StepRow> {
  const running = (await queries.run(heldSteps, { jobId: job.id })).filter(isOnDevice);
  if (running.length === 0) throw wrongState.noStepRuns(job);
  const step = running.find(({ container }) => container?.http);
  if (!step) throw wrongState.noHttpPort(job);
  return step;
}

async function chooseStep(queries: Queries, job: JobRow, number: number | null): Promise<StepRow> {
  if (number !== null) {
    const [step] = await queries.run(stepByNumber, { jobId: job.id, number });
    if (!step) throw wrongInput.noStep(job);
    if (!isHeldStep(step.status) || !isOnDevice(step)) throw wrongState.stepNotRunning(step);
    return step;
  }
  const [step, other] = (await queries.run(heldSteps, { jobId: job.id })).filter(isOnDevice);
  if (!step) throw wrongState.noStepRuns(job);
  if (other) throw wrongInput.severalStepsRun();
  return step;
}

/** A step may also be held by a key that is no device's. */
const isOnDevice = ({ leaseDeviceId }: StepRow) => leaseDeviceId !== null;
