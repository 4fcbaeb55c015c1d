import { wokenSince } from '../../realtime/wakeup-age.ts';
import type { FrameMaker } from '../execution/frames.ts';
import type { Transport } from './call.ts';
import type { ServerInstruments } from './instruments.ts';

/** Counts a stream that is opened, its frames as they leave, and its end. */
export function countFrames(instruments: ServerInstruments, stream: string, transport: Transport): Pick<FrameMaker, 'sent' | 'ended'> {
  const open = instruments.streams.of({ stream, transport });
  const frames = instruments.frames.of({ stream, transport });
  const lag = instruments.frameLag.of({ stream });
  open.add();
  return {
    sent(event) {
      frames.add();
      const since = wokenSince(event);
      if (since !== undefined) lag.note((performance.now() - since) / 1_000);
    },
    ended: () => open.add(-1),
  };
}
