/** Ten times as much as `npm test` does. FAST_CHECK_SEED takes another way through it. */
import { fuzz } from './fuzz.ts';

fuzz(2_500, 240_000);
