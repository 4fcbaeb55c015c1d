/**
 * @generated SignedSource<<9353289483cf7f2de34852a083ce7bcf>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
import type { FragmentRefs } from "relay-runtime";
export type JobInitiator = "DATA" | "GIT" | "MANUAL";
export type JobStatus = "BLOCKED" | "CANCELLED" | "CANCELLING" | "FAILED" | "QUEUED" | "RUNNING" | "SUCCEEDED" | "SUSPENDED";
export type JobType = "CONVERSION" | "TRAINING" | "VALIDATION";
export type JobFilter = {
  applicationId?: string | null | undefined;
  createdAfter?: string | null | undefined;
  createdBefore?: string | null | undefined;
  deviceId?: string | null | undefined;
  experimentId?: string | null | undefined;
  hasMetric?: string | null | undefined;
  initiators?: ReadonlyArray<JobInitiator> | null | undefined;
  labelFilters?: ReadonlyArray<LabelFilterInput> | null | undefined;
  labels?: ReadonlyArray<LabelInput> | null | undefined;
  name?: string | null | undefined;
  nameContains?: string | null | undefined;
  notStatuses?: ReadonlyArray<JobStatus> | null | undefined;
  owner?: string | null | undefined;
  projectId?: string | null | undefined;
  search?: string | null | undefined;
  statuses?: ReadonlyArray<JobStatus> | null | undefined;
  types?: ReadonlyArray<JobType> | null | undefined;
};
export type LabelFilterInput = {
  isAbsent?: boolean;
  key: string;
  value?: string | null | undefined;
};
export type LabelInput = {
  key: string;
  value: string;
};
export type jobsPaginationQuery$variables = {
  after?: string | null | undefined;
  filter?: JobFilter | null | undefined;
  first?: number | null | undefined;
};
export type jobsPaginationQuery$data = {
  readonly " $fragmentSpreads": FragmentRefs<"jobs_query">;
};
export type jobsPaginationQuery = {
  response: jobsPaginationQuery$data;
  variables: jobsPaginationQuery$variables;
};

const node: ConcreteRequest = (function(){
var v0 = [
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "after"
  },
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "filter"
  },
  {
    "defaultValue": 2,
    "kind": "LocalArgument",
    "name": "first"
  }
],
v1 = [
  {
    "kind": "Variable",
    "name": "after",
    "variableName": "after"
  },
  {
    "kind": "Variable",
    "name": "filter",
    "variableName": "filter"
  },
  {
    "kind": "Variable",
    "name": "first",
    "variableName": "first"
  }
];
return {
  "fragment": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Fragment",
    "metadata": null,
    "name": "jobsPaginationQuery",
    "selections": [
      {
        "args": (v1/*:: as any*/),
        "kind": "FragmentSpread",
        "name": "jobs_query"
      }
    ],
    "type": "Query",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Operation",
    "name": "jobsPaginationQuery",
    "selections": [
      {
        "alias": null,
        "args": (v1/*:: as any*/),
        "concreteType": "JobConnection",
        "kind": "LinkedField",
        "name": "jobs",
        "plural": false,
        "selections": [
          {
            "alias": null,
            "args": null,
            "concreteType": "JobEdge",
            "kind": "LinkedField",
            "name": "edges",
            "plural": true,
            "selections": [
              {
                "alias": null,
                "args": null,
                "concreteType": "Job",
                "kind": "LinkedField",
                "name": "node",
                "plural": false,
                "selections": [
                  {
                    "alias": null,
                    "args": null,
                    "kind": "ScalarField",
                    "name": "id",
                    "storageKey": null
                  },
                  {
                    "alias": null,
                    "args": null,
                    "kind": "ScalarField",
                    "name": "name",
                    "storageKey": null
                  },
                  {
                    "alias": null,
                    "args": null,
                    "kind": "ScalarField",
                    "name": "status",
                    "storageKey": null
                  },
                  {
                    "alias": null,
                    "args": null,
                    "kind": "ScalarField",
                    "name": "__typename",
                    "storageKey": null
                  }
                ],
                "storageKey": null
              },
              {
                "alias": null,
                "args": null,
                "kind": "ScalarField",
                "name": "cursor",
                "storageKey": null
              }
            ],
            "storageKey": null
          },
          {
            "alias": null,
            "args": null,
            "concreteType": "PageInfo",
            "kind": "LinkedField",
            "name": "pageInfo",
            "plural": false,
            "selections": [
              {
                "alias": null,
                "args": null,
                "kind": "ScalarField",
                "name": "endCursor",
                "storageKey": null
              },
              {
                "alias": null,
                "args": null,
                "kind": "ScalarField",
                "name": "hasNextPage",
                "storageKey": null
              }
            ],
            "storageKey": null
          }
        ],
        "storageKey": null
      },
      {
        "alias": null,
        "args": (v1/*:: as any*/),
        "filters": [
          "filter"
        ],
        "handle": "connection",
        "key": "jobs_query_jobs",
        "kind": "LinkedHandle",
        "name": "jobs"
      }
    ]
  },
  "params": {
    "cacheID": "1dc880d1e2340a8d7b856b8112f01481",
    "id": null,
    "metadata": {},
    "name": "jobsPaginationQuery",
    "operationKind": "query",
    "text": "query jobsPaginationQuery(\n  $after: String\n  $filter: JobFilter\n  $first: Int = 2\n) {\n  ...jobs_query_G9cLv\n}\n\nfragment jobs_job on Job {\n  id\n  name\n  status\n}\n\nfragment jobs_query_G9cLv on Query {\n  jobs(first: $first, after: $after, filter: $filter) {\n    edges {\n      node {\n        ...jobs_job\n        id\n        __typename\n      }\n      cursor\n    }\n    pageInfo {\n      endCursor\n      hasNextPage\n    }\n  }\n}\n"
  }
};
})();

(node as any).hash = "231c147007e1d354c9ec607b14e0087a";

export default node;
