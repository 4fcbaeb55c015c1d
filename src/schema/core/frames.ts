import type { Frame } from '../../realtime/streams.ts';
import { builder } from './builder.ts';
import { describeEnum } from './enums.ts';

const StreamState = describeEnum<Frame<unknown>['state']>('StreamState', 'How far a subscription has read in its stream.', {
  REPLAYING: 'Stored entries are being replayed, and more follow.',
  LIVE: 'The subscription has caught up. What follows is new.',
  ENDED: 'The stream has ended. The gateway completes the subscription after this frame.',
});

/** The fields that all frames share. */
export type FrameHead = Omit<Frame<unknown>, 'rows'>;

export const StreamFrame = builder.interfaceRef<FrameHead>('StreamFrame').implement({
  description:
    'One delivery of a subscription: every entry since the frame before, in order and exactly once. Reconnect with `after` set ' +
    'to the cursor of the last frame that you saw: nothing is lost and nothing is repeated. A slow consumer gets fewer and ' +
    'larger frames and holds up nobody else. The first LIVE frame is sent at once, even if it is empty.',
  fields: (t) => ({
    cursor: t.expose('cursor', {
      type: 'Cursor',
      description: 'The position after this frame. Pass it as `after` to continue from here.',
    }),
    state: t.expose('state', { type: StreamState, description: 'How far the subscription has read.' }),
    missed: t.exposeInt('missed', {
      description:
        'The number of entries between the frame before and the end of this one that retention has deleted; usually 0. When the ' +
        'subscription filters entries (by step, name or type), deleted entries are counted whether they matched or not.',
    }),
  }),
});
