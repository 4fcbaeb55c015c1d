import type { Frame } from '../../realtime/streams.ts';
import { builder } from './builder.ts';
import { describeEnum } from './enums.ts';

const StreamState = describeEnum<Frame<unknown>['state']>('StreamState', 'How far a subscription has come in its stream.', {
  REPLAYING: 'This is history: more of it follows.',
  LIVE: 'Caught up. What follows is new.',
  ENDED: 'Nothing more will come; the gateway completes the subscription after this frame.',
});

/** What all frames have in common. */
export type FrameHead = Omit<Frame<unknown>, 'rows'>;

export const StreamFrame = builder.interfaceRef<FrameHead>('StreamFrame').implement({
  description:
    'One delivery on a subscription: everything that came since the one before, in order, each entry once. After a reconnect with `after` set to the ' +
    'cursor of the last frame seen, nothing is lost and nothing repeats. A slow consumer gets fewer, larger frames, and holds up nobody. The first ' +
    'LIVE frame comes at once, empty if there is nothing to show.',
  fields: (t) => ({
    cursor: t.expose('cursor', {
      type: 'Cursor',
      description: 'The place in the stream after this frame: pass it as `after` to go on from here.',
    }),
    state: t.expose('state', { type: StreamState, description: 'How far the subscription has come.' }),
    missed: t.exposeInt('missed', {
      description:
        'How many entries are gone, being past retention, between the frame before and the end of this one; 0 otherwise. Where only some entries are ' +
        'asked for (a step, names, kinds), those that are gone are counted whichever they were.',
    }),
  }),
});
