import type { StatusReason } from '../../client/generated.ts';
import type { Meter } from '../machine/telemetry.ts';
import type { ProcessExit } from './process.ts';

/** Why a step failed, as its job's history says it. */
export interface StepFailure {
  readonly reason: StatusReason;
  readonly description: string;
}

/** How a step's command ended. `failure` says what went wrong beyond the exit code. */
export interface StepExit extends ProcessExit {
  readonly failure: StepFailure | null;
}

/** A running step, as a process or in a container. */
export interface RunningStep {
  /** The pid that stands for it: its leader's, or that of the docker program. */
  readonly pid: number;
  readonly container: string | null;
  readonly meter: Meter;
  /** Resolves when it has ended and its output was passed on. Never rejects. */
  readonly exited: Promise<StepExit>;
  /** Resolves with whether its command has begun to run, when it has or when `over` is aborted. */
  hasStarted(over: AbortSignal): Promise<boolean>;
  /**
   * Where its HTTP server is reached. Null if it has none or has ended. Called once it has started.
   */
  findHttpUrl(): Promise<string | null>;
  /** Pauses or resumes reading its output. While paused, it blocks when it writes. */
  hold(isHeld: boolean): void;
  /** Asks it to end, and kills it after the grace. Resolves when it has ended. */
  stop(graceSeconds: number): Promise<StepExit>;
  /** Kills it now. */
  kill(): void;
}

/**
 * The container engine is gone since the claim. The step has not failed: another device may run it.
 */
export class EngineAwayError extends Error {
  override readonly name = 'EngineAwayError';
}

/** This device cannot run the step. The message says why, for the job's history. */
export class CannotRunError extends Error {
  override readonly name = 'CannotRunError';
  readonly failure: StepFailure;

  constructor(reason: StatusReason, description: string) {
    super(description);
    this.failure = { reason, description };
  }
}
