/** Twenty-five times the runs of `npm test`. FAST_CHECK_SEED varies them. */
import { fuzz } from './fuzz.ts';

fuzz(2_500, 240_000);
