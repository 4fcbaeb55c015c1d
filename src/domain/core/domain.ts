/** What every decision depends on. Time, randomness and ids come only from here. */
import { randomFillSync } from 'node:crypto';
import type { FileStore, SharedFile } from '../../store/files/file-store.ts';
import type { Store } from '../../store/store.ts';
import { type Clock, systemClock } from './clock.ts';
import { ClockGuard } from './clock-guard.ts';
import { createIds, type Ids } from './ids.ts';
import { DomainInstruments } from './instruments.ts';
import { type DomainLimits, defaultDomainLimits } from './limits.ts';
import { Reservations } from './reservations.ts';
import { Retries } from './retries.ts';
import type { Schemas } from './schemas.ts';

/** Inspects models. Nothing else in the domain reads their bytes. */
export interface Models {
  /**
   * Returns what is wrong with a model: a sentence for each problem, naming the tensor. Empty if
   * there is nothing. Its tensors must be those of the model that the round started from. With
   * `isAveraged`, tensors that have no mean must also have the same values.
   */
  inspect(model: StoredModel, start: StoredModel | null, isAveraged: boolean): Promise<readonly string[]>;
}

export interface StoredModel {
  readonly file: SharedFile;
  readonly sizeBytes: number;
}

export interface Domain {
  readonly store: Store;
  /** The bytes of fragments. */
  readonly files: FileStore;
  readonly models: Models;
  readonly schemas: Schemas;
  readonly clock: Clock;
  /** Notices when the process stood still or the clock jumped. */
  readonly clockGuard: ClockGuard;
  readonly ids: Ids;
  random(bytes: number): Buffer;
  readonly limits: DomainLimits;
  /** Background tasks that failed and are tried again. */
  readonly retries: Retries;
  /** How long steps have waited for a device. */
  readonly reservations: Reservations;
  readonly instruments: DomainInstruments;
  /** The id of the current request, as in the log. Null outside a request. */
  requestId(): string | null;
}

export interface DomainParts {
  readonly store: Store;
  readonly files: FileStore;
  /** Without it, no model can be submitted to a federated job. */
  readonly models?: Models;
  /** Without it, no application can have a schema of settings. */
  readonly schemas?: Schemas;
  readonly clock?: Clock;
  readonly random?: (bytes: number) => Buffer;
  readonly limits?: Partial<DomainLimits>;
  /** Default: requests have no id. */
  readonly requestId?: () => string | null;
}

const noModels: Models = {
  inspect: () => Promise.reject(new Error('This domain was created without models.')),
};

const noSchemas: Schemas = {
  judge: () => Promise.reject(new Error('This domain was created without schemas.')),
};

const POOL_BYTES = 8_192;
let pool = new Uint8Array(0);
let used = 0;

/** Asks the system for many bytes at once: a call takes 2 µs, of which a new job needs several. */
function randomBytes(bytes: number): Buffer {
  if (used + bytes > pool.length) {
    // A new pool: what was taken from the old one is still in use.
    pool = randomFillSync(new Uint8Array(Math.max(bytes, POOL_BYTES)));
    used = 0;
  }
  used += bytes;
  return Buffer.from(pool.buffer, used - bytes, bytes);
}

export function createDomain(parts: DomainParts): Domain {
  const {
    store,
    files,
    models = noModels,
    schemas = noSchemas,
    clock = systemClock,
    random = randomBytes,
    limits = {},
    requestId = () => null,
  } = parts;
  return {
    store,
    files,
    models,
    schemas,
    clock,
    clockGuard: new ClockGuard(clock),
    random,
    ids: createIds(clock.now, random),
    limits: { ...defaultDomainLimits, ...limits },
    retries: new Retries(),
    reservations: new Reservations(),
    instruments: new DomainInstruments(),
    requestId,
  };
}
