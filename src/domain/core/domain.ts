/** What every decision is made with. Time, randomness and ids come in here and nowhere else. */
import { randomBytes } from 'node:crypto';
import type { FileStore, SharedFile } from '../../store/files/file-store.ts';
import type { Store } from '../../store/store.ts';
import { type Clock, systemClock } from './clock.ts';
import { ClockGuard } from './clock-guard.ts';
import { createIds, type Ids } from './ids.ts';
import { DomainMeters } from './instruments.ts';
import { type DomainLimits, defaultDomainLimits } from './limits.ts';
import { Reservations } from './reservations.ts';
import { Retries } from './retries.ts';
import type { Schemas } from './schemas.ts';

/** What looks at models, whose bytes nothing else of the domain reads. */
export interface Models {
  /**
   * Returns what is wrong with a model, a sentence for each problem, naming the tensor; nothing when it is as it should be. Beside the
   * model that its round started from it must have the same tensors; with `isAveraged`, also the same values of those that have no mean.
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
  /** Whether the gateway was there all the while. */
  readonly clockGuard: ClockGuard;
  readonly ids: Ids;
  random(bytes: number): Buffer;
  readonly limits: DomainLimits;
  /** What the gateway could not do by itself, and tries again. */
  readonly retries: Retries;
  /** How long steps have waited for the places that they were to have. */
  readonly reservations: Reservations;
  readonly meters: DomainMeters;
  /** The id of the request that is being answered, as logs name it; null outside of one. */
  requestId(): string | null;
}

export interface DomainParts {
  readonly store: Store;
  readonly files: FileStore;
  /** Without it, no model can be handed in to a federated job. */
  readonly models?: Models;
  /** Without it, no application can have a schema of settings. */
  readonly schemas?: Schemas;
  readonly clock?: Clock;
  readonly random?: (bytes: number) => Buffer;
  readonly limits?: Partial<DomainLimits>;
  /** Default: no request has an id. */
  readonly requestId?: () => string | null;
}

const noModels: Models = {
  inspect: () => Promise.reject(new Error('This domain was made without anything to look at models with.')),
};

const noSchemas: Schemas = {
  judge: () => Promise.reject(new Error('This domain was made without anything to judge settings with.')),
};

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
    meters: new DomainMeters(),
    requestId,
  };
}
