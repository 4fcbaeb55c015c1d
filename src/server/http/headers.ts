/**
 * Where header fields of an answer are collected before it is made: node:http's response, or
 * `HeaderFields`.
 */
export interface AnswerHeaders {
  setHeader(name: string, value: string): unknown;
}

/**
 * Header fields that are written with the answer. Of fields that were set on it before, node:http
 * checks each by itself and copies all of them twice: 3 % of the processor time of a request that
 * reads one job.
 */
export class HeaderFields implements AnswerHeaders {
  readonly fields: Record<string, string> = {};

  setHeader(name: string, value: string): void {
    this.fields[name] = value;
  }
}
