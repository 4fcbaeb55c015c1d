import type { StatusReason } from '../../client/generated.ts';
import type { Meter } from '../machine/telemetry.ts';
import type { ProcessExit } from './process.ts';

/** Why a step failed, as the history of its job says it. */
export interface StepFailure {
  readonly reason: StatusReason;
  readonly description: string;
}

/** How a step's command ended; `failure` says what went wrong where that is more than an exit code. */
export interface StepExit extends ProcessExit {
  readonly failure: StepFailure | null;
}

/** A step that runs, as a process or in a container. */
export interface RunningStep {
  /** Of the process that stands for it: its leader, or the docker program. */
  readonly pid: number;
  readonly container: string | null;
  readonly meter: Meter;
  /** Resolves when it has ended and its output has been handed on. Never rejects. */
  readonly exited: Promise<StepExit>;
  /** Whether its command has begun to run; resolves when it has, or when that is over. */
  hasStarted(over: AbortSignal): Promise<boolean>;
  /** Where the HTTP server of a step that has one is reached; null for one that has none, or is over by now. Asked once it has started. */
  findHttpUrl(): Promise<string | null>;
  /** Stops or goes on reading its output; meanwhile it waits when it writes. */
  hold(isHeld: boolean): void;
  /** Asks it to end, and ends it after the grace. Resolves when it has ended. */
  stop(graceSeconds: number): Promise<StepExit>;
  /** Ends it now. */
  kill(): void;
}

/** What it would run in has gone since the step was claimed: that is no failure of the step, which another device may run. */
export class EngineAwayError extends Error {
  override readonly name = 'EngineAwayError';
}

/** This device cannot run the step. Says why, in the words of the job's history. */
export class CannotRunError extends Error {
  override readonly name = 'CannotRunError';
  readonly failure: StepFailure;

  constructor(reason: StatusReason, description: string) {
    super(description);
    this.failure = { reason, description };
  }
}
