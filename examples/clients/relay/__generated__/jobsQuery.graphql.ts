/**
 * @generated SignedSource<<e40055bdaba34636217f9cab87a68525>>
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
export type jobsQuery$variables = {
  filter?: JobFilter | null | undefined;
};
export type jobsQuery$data = {
  readonly " $fragmentSpreads": FragmentRefs<"jobs_query">;
};
export type jobsQuery = {
  response: jobsQuery$data;
  variables: jobsQuery$variables;
};

const node: ConcreteRequest = (function(){
var v0 = [
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "filter"
  }
],
v1 = {
  "kind": "Variable",
  "name": "filter",
  "variableName": "filter"
},
v2 = [
  (v1/*:: as any*/),
  {
    "kind": "Literal",
    "name": "first",
    "value": 2
  }
];
return {
  "fragment": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Fragment",
    "metadata": null,
    "name": "jobsQuery",
    "selections": [
      {
        "args": [
          (v1/*:: as any*/)
        ],
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
    "name": "jobsQuery",
    "selections": [
      {
        "alias": null,
        "args": (v2/*:: as any*/),
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
        "args": (v2/*:: as any*/),
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
    "cacheID": "a318179cd2221b82c5891fdf0d7964d6",
    "id": null,
    "metadata": {},
    "name": "jobsQuery",
    "operationKind": "query",
    "text": "query jobsQuery(\n  $filter: JobFilter\n) {\n  ...jobs_query_Vt7Yj\n}\n\nfragment jobs_job on Job {\n  id\n  name\n  status\n}\n\nfragment jobs_query_Vt7Yj on Query {\n  jobs(first: 2, filter: $filter) {\n    edges {\n      node {\n        ...jobs_job\n        id\n        __typename\n      }\n      cursor\n    }\n    pageInfo {\n      endCursor\n      hasNextPage\n    }\n  }\n}\n"
  }
};
})();

(node as any).hash = "c5a5bd6d863e29602d56151813687533";

export default node;
