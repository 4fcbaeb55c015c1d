/**
 * Identifies the PostgreSQL that a store is in, to check whether its cursors were made there.
 *
 * A server that takes over from another (failover), or is restored to an earlier time
 * (point-in-time recovery), begins a new timeline. It may lack the newest changes and will assign
 * their numbers again. A copy of the database has another oid. A copy in another cluster has
 * another system identifier.
 */
import type pg from 'pg';
import { newIdentity } from '../identity.ts';
import { renewingStatements } from '../restored-identity.ts';
import { StoreUnusable } from '../store.ts';
import { StoreUnavailable } from '../unavailable.ts';
import { codeOf, isConnectionLost } from './session.ts';

/**
 * Shared by every gateway while its notifier is open. A gateway that can take it exclusively is the
 * first.
 */
export const PRESENCE_LOCK = 7_203_412;

type Client = Pick<pg.ClientBase, 'query'>;

/**
 * Not read from pg_control_checkpoint, which names the old timeline until the first checkpoint
 * after a promotion.
 */
const originText = `
  (select system_identifier from pg_control_system()) || '/' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) || '/' ||
  (select oid from pg_database where datname = current_database())`;

/**
 * Null if the server does not tell: some hosted databases that speak PostgreSQL's protocol lack
 * these functions. Throws StoreUnusable for a standby.
 */
export async function readOrigin(client: Client): Promise<string | null> {
  if ((await client.query('select pg_is_in_recovery() as is_standby')).rows[0].is_standby)
    throw new StoreUnusable('PostgreSQL cannot be used: the server is a standby, or is still recovering. Connect to the primary.');
  try {
    return String((await client.query(`select ${originText} as origin`)).rows[0].origin);
  } catch (error) {
    if (isConnectionLost(error)) throw error;
    return null;
  }
}

/**
 * Gives the store a new identity if the origin has changed, or if it is requested. Call it under
 * the lock of migrations.
 */
export async function settleOrigin(client: Client, origin: string | null, { isRenewed }: { readonly isRenewed: boolean }): Promise<void> {
  await client.query('BEGIN');
  const known = (await client.query(`select value from meta where key = 'origin'`)).rows[0]?.value;
  if (isRenewed) await requireAlone(client);
  if (isRenewed || (known !== undefined && origin !== null && known !== origin))
    for (const { text, values } of renewingStatements(newIdentity())) await client.query(text, [...values]);
  if (origin !== null && origin !== known)
    await client.query(`insert into meta (key, value) values ('origin', $1) on conflict (key) do update set value = excluded.value`, [
      origin,
    ]);
  await client.query('COMMIT');
}

/**
 * Held until the end of the transaction: a gateway that starts in the meantime waits and then reads
 * the new identity.
 */
async function requireAlone(client: Client): Promise<void> {
  const { rows } = await client.query('select pg_try_advisory_xact_lock($1) as alone', [PRESENCE_LOCK]);
  if (!rows[0].alone)
    throw new StoreUnusable(
      'Other gateways use this database and would keep its old identity. Stop all of them, and start one with --new-identity.',
    );
}

/** The origin of the store when this process opened it. */
export class Origin {
  readonly #origin: string | null;
  readonly #identity: string;
  readonly #replaced = Promise.withResolvers<void>();
  isReplaced = false;

  constructor(origin: string | null, identity: string) {
    this.#origin = origin;
    this.#identity = identity;
  }

  /** Whether the server tells its origin. */
  get isKnown(): boolean {
    return this.#origin !== null;
  }

  /** Resolves when a connection has led to another store. */
  get replaced(): Promise<void> {
    return this.#replaced.promise;
  }

  /**
   * Refuses a new connection that leads to another store, before anything is read or written on it.
   * The memory of this process does not match that store.
   */
  readonly check = async (client: Client): Promise<void> => {
    if (await this.#isSame(client)) return;
    this.isReplaced = true;
    this.#replaced.resolve();
    throw new StoreUnavailable('REPLACED', { cause: undefined });
  };

  /** A standby is refused as well: a connection to it would survive its promotion. */
  async #isSame(client: Client): Promise<boolean> {
    const here = this.#origin === null ? 'null' : originText;
    const text = `
      select pg_is_in_recovery() as is_standby, case when not pg_is_in_recovery() then ${here} end as origin,
        (select value from meta where key = 'identity') as identity`;
    const { rows } = await client.query(text).catch((error: unknown) => {
      // undefined_table: there is no store.
      if (codeOf(error) === '42P01') return { rows: [{}] };
      throw error;
    });
    const { is_standby: isStandby, origin, identity } = rows[0];
    if (isStandby) throw new StoreUnavailable('AWAY', { cause: new Error('The server is a standby.') });
    return origin === this.#origin && identity === this.#identity;
  }
}
