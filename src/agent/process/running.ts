import type { Writable } from 'node:stream';
import type { StatusReason } from '../../client/generated.ts';
import type { Meter } from '../machine/telemetry.ts';
import type { PortAddress } from './listening.ts';
import type { ProcessExit, ProcessOptions } from './process.ts';

/** Why a step failed, as its job's history says it. */
export interface StepFailure {
  readonly reason: StatusReason;
  readonly description: string;
}

/** How a step's command ended. `failure` says what went wrong beyond the exit code. */
export interface StepExit extends ProcessExit {
  readonly failure: StepFailure | null;
}

/** Another command that runs inside a step, and ends with it. */
export interface InnerCommand {
  readonly stdin: Writable | null;
  /** Resolves when all that it started has ended, or cannot be ended. Never rejects. */
  readonly exited: Promise<ProcessExit>;
  hold(isHeld: boolean): void;
  stop(graceSeconds: number): Promise<ProcessExit>;
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
  /**
   * Where a port of the step is reached from this machine. Null if no process of the step listens
   * on it: then it is nobody's, or another program's.
   */
  findPort(port: number): Promise<PortAddress | null>;
  /** Starts a command in the step's environment. Rejects with SpawnError. */
  exec(command: readonly string[], onOutput: ProcessOptions['onOutput']): Promise<InnerCommand>;
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
