/** What every decision is made with. Time, randomness and ids come in here and nowhere else. */
import { randomBytes } from 'node:crypto';
import type { FileStore } from '../store/files.ts';
import type { Store } from '../store/store.ts';
import { type Clock, systemClock } from './clock.ts';
import { createIds, type Ids } from './ids.ts';
import { type DomainLimits, defaultDomainLimits } from './limits.ts';

export interface Domain {
  readonly store: Store;
  /** The bytes of fragments. */
  readonly files: FileStore;
  readonly clock: Clock;
  readonly ids: Ids;
  random(bytes: number): Buffer;
  readonly limits: DomainLimits;
}

export interface DomainParts {
  readonly store: Store;
  readonly files: FileStore;
  readonly clock?: Clock;
  readonly random?: (bytes: number) => Buffer;
  readonly limits?: Partial<DomainLimits>;
}

export function createDomain({ store, files, clock = systemClock, random = randomBytes, limits = {} }: DomainParts): Domain {
  return { store, files, clock, random, ids: createIds(clock.now, random), limits: { ...defaultDomainLimits, ...limits } };
}
