/** Any document and any variables get data or a typed refusal, and leave nothing in memory. */
import { fuzz } from './fuzz.ts';

fuzz(100, 50_000);
