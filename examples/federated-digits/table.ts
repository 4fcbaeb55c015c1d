/** The run as a table: a row for each round, the aggregate beside what each device handed in and what it would be alone. */

export interface RoundResult {
  readonly number: number;
  /** Accuracies are shares of the test: 0 to 1. */
  readonly aggregate: number;
  readonly devices: readonly {
    readonly name: string;
    /** Of the model that it handed in; null when that is no part of the aggregate. */
    readonly handedIn: number | null;
    /** Of the model that it has after as many rounds on its own share alone. */
    readonly alone: number;
  }[];
}

const width = 8;

export function heading(devices: number): string[] {
  const names = Array.from({ length: devices }, (_, index) => `dev ${index + 1}`.padStart(width)).join('');
  const title = (text: string) => ` ${text}`.padEnd(devices * width);
  return [`                 │ ${title('handed in')} │ ${title('alone').trimEnd()}`, `round  aggregate │${names}  │${names}`];
}

/** `statuses`: what became of each device in the round, shown where it has no model in the aggregate. */
export function row({ number, aggregate, devices }: RoundResult, statuses: ReadonlyMap<string, string>): string {
  const handedIn = devices.map((device) => device.handedIn?.toFixed(3) ?? statuses.get(device.name)?.toLowerCase() ?? '–');
  const alone = devices.map((device) => device.alone.toFixed(3));
  const cells = (texts: readonly string[]) => texts.map((text) => text.padStart(width)).join('');
  return `${String(number).padStart(5)}  ${aggregate.toFixed(3).padStart(9)} │${cells(handedIn)}  │${cells(alone)}`;
}

/** The best that any device alone had come to by this round. */
export const bestAlone = ({ devices }: RoundResult): number => Math.max(...devices.map(({ alone }) => alone));
