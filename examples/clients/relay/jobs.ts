/**
 * The operations of the Relay recipe, as components would contain them. `relay-compiler` reads them
 * from here and writes __generated__. With babel-plugin-relay (or SWC's), each tag becomes an
 * import of the generated file. This file is never run.
 */
import { graphql } from 'relay-runtime';

/** A list that is loaded page by page, and can be refetched by itself. */
export const list = graphql`
  fragment jobs_query on Query
  @refetchable(queryName: "jobsPaginationQuery")
  @argumentDefinitions(first: { type: "Int", defaultValue: 2 }, after: { type: "String" }, filter: { type: "JobFilter" }) {
    jobs(first: $first, after: $after, filter: $filter) @connection(key: "jobs_query_jobs", filters: ["filter"]) {
      edges {
        node {
          ...jobs_job
        }
      }
    }
  }
`;

/** One job of the list, which can be refetched by its id. */
export const job = graphql`
  fragment jobs_job on Job @refetchable(queryName: "jobsRefetchQuery") {
    id
    name
    status
  }
`;

export const page = graphql`
  query jobsQuery($filter: JobFilter) {
    ...jobs_query @arguments(filter: $filter)
  }
`;

export const find = graphql`
  query jobsFindQuery($id: ID!) {
    job(id: $id) {
      id
      name
      status
    }
  }
`;

export const cancel = graphql`
  mutation jobsCancelMutation($input: CancelJobInput!) {
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

export const watch = graphql`
  subscription jobsWatchSubscription($jobId: ID!) {
    jobUpdated(jobId: $jobId) {
      ...jobs_job
    }
  }
`;

export const log = graphql`
  subscription jobsLogSubscription($jobId: ID!, $after: Cursor) {
    log(jobId: $jobId, after: $after) {
      cursor
      state
      chunks {
        text
      }
    }
  }
`;
