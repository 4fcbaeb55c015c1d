/**
 * ## The operations
 *
 * Every client uses the same three operations.
 *
 * A mutation returns a union: its payload or a refusal. Refusals are data. Each is an `Error` with
 * a `code` for programs and a `message` for people. Select `__typename` to distinguish them.
 * Top-level errors (`errors` in the answer, with `extensions.code`) are for invalid requests: an
 * invalid key, a document over a limit, a wrong type.
 *
 * A stream is finished when a frame has the state `ENDED`. Resume from the cursor of the last
 * frame.
 */

export interface Gateway {
  /** `http://127.0.0.1:4000` */
  readonly url: string;
  /** `tyk_…` */
  readonly key: string;
}

export const jobQuery = /* GraphQL */ `
  query Job($id: ID!) {
    job(id: $id) {
      id
      name
      status
    }
  }
`;

export interface JobData {
  readonly job: { readonly id: string; readonly name: string; readonly status: string } | null;
}

export const cancelMutation = /* GraphQL */ `
  mutation Cancel($input: CancelJobInput!) {
    cancelJob(input: $input) {
      __typename
      ... on CancelJobPayload {
        job {
          id
          status
        }
      }
      ... on Error {
        code
        message
      }
    }
  }
`;

export interface CancelData {
  readonly cancelJob:
    | { readonly __typename: 'CancelJobPayload'; readonly job: { readonly id: string; readonly status: string } }
    | { readonly __typename: 'NotFoundError' | 'InvalidStateError'; readonly code: string; readonly message: string };
}

/** The job's current status, or the refusal in one line. */
export function tellOutcome({ cancelJob }: CancelData): string {
  return cancelJob.__typename === 'CancelJobPayload' ? cancelJob.job.status : `${cancelJob.code}: ${cancelJob.message}`;
}

export const logSubscription = /* GraphQL */ `
  subscription Log($jobId: ID!, $after: Cursor) {
    log(jobId: $jobId, after: $after) {
      cursor
      state
      chunks {
        text
      }
    }
  }
`;

export interface LogData {
  readonly log: {
    readonly cursor: string;
    readonly state: 'REPLAYING' | 'LIVE' | 'ENDED';
    readonly chunks: readonly { readonly text: string }[];
  };
}
