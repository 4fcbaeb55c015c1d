/**
 * The table of a run: for each round, the aggregate beside each device's submitted model and its
 * result alone.
 */

export interface RoundResult {
  readonly number: number;
  /** Accuracies are shares of the test: 0 to 1. */
  readonly aggregate: number;
  readonly devices: readonly {
    readonly name: string;
    /** The submitted model's; null if the aggregate does not include it. */
    readonly handedIn: number | null;
    /** The result of as many rounds on its own share alone. */
    readonly alone: number;
  }[];
}

const width = 8;

export function heading(devices: number): string[] {
  const names = Array.from({ length: devices }, (_, index) => `dev ${index + 1}`.padStart(width)).join('');
  const title = (text: string) => ` ${text}`.padEnd(devices * width);
  return [`                 │ ${title('handed in')} │ ${title('alone').trimEnd()}`, `round  aggregate │${names}  │${names}`];
}

/**
 * `statuses`: each device's status in the round, shown if the aggregate does not include its model.
 */
export function row({ number, aggregate, devices }: RoundResult, statuses: ReadonlyMap<string, string>): string {
  const handedIn = devices.map((device) => device.handedIn?.toFixed(3) ?? statuses.get(device.name)?.toLowerCase() ?? '–');
  const alone = devices.map((device) => device.alone.toFixed(3));
  const cells = (texts: readonly string[]) => texts.map((text) => text.padStart(width)).join('');
  return `${String(number).padStart(5)}  ${aggregate.toFixed(3).padStart(9)} │${cells(handedIn)}  │${cells(alone)}`;
}

/** The best result of any device alone up to this round. */
export const bestAlone = ({ devices }: RoundResult): number => Math.max(...devices.map(({ alone }) => alone));
