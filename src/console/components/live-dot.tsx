import { formatClock } from '../format/time.ts';
import { connection } from '../streams/gateway.ts';

/**
 * The state of the connection, for the whole page. It says live only while frames or answers to
 * pings come.
 */
export function LiveDot() {
  const { state, lastHeardAt, latencyMs, via } = connection.value;
  const asOf = lastHeardAt === null ? '' : ` · as of ${formatClock(lastHeardAt)}`;
  const words = {
    idle: 'Idle',
    connecting: 'Connecting',
    live: `Live${latencyMs === null ? '' : ` · ${Math.round(latencyMs)} ms`}`,
    reconnecting: `Reconnecting${asOf}`,
    offline: `Offline${asOf}`,
  }[state];
  return (
    <span
      class="live"
      data-state={state}
      role="status"
      title={via === 'sse' ? 'By server-sent events: no WebSocket came through' : undefined}
    >
      <i aria-hidden="true" />
      <span>{words}</span>
    </span>
  );
}
