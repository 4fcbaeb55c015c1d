/**
 * @generated SignedSource<<cdf30988f237454fcc64fa80fd1c4344>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
export type ErrorCode = "ALREADY_EXISTS" | "IDEMPOTENCY_CONFLICT" | "INVALID_INPUT" | "INVALID_STATE" | "NOT_FOUND" | "QUOTA_EXCEEDED" | "STALE_LEASE";
export type JobStatus = "BLOCKED" | "CANCELLED" | "CANCELLING" | "FAILED" | "QUEUED" | "RUNNING" | "SUCCEEDED" | "SUSPENDED";
export type CancelJobInput = {
  cancelTimeoutSeconds?: number;
  jobId: string;
  reason?: string | null | undefined;
};
export type jobsCancelMutation$variables = {
  input: CancelJobInput;
};
export type jobsCancelMutation$data = {
  readonly cancelJob: {
    readonly __typename: string;
    readonly code?: ErrorCode;
    readonly job?: {
      readonly id: string;
      readonly status: JobStatus;
    };
    readonly message?: string;
  };
};
export type jobsCancelMutation = {
  response: jobsCancelMutation$data;
  variables: jobsCancelMutation$variables;
};

const node: ConcreteRequest = (function(){
var v0 = [
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "input"
  }
],
v1 = [
  {
    "kind": "Variable",
    "name": "input",
    "variableName": "input"
  }
],
v2 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "__typename",
  "storageKey": null
},
v3 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "id",
  "storageKey": null
},
v4 = {
  "kind": "InlineFragment",
  "selections": [
    {
      "alias": null,
      "args": null,
      "concreteType": "Job",
      "kind": "LinkedField",
      "name": "job",
      "plural": false,
      "selections": [
        (v3/*:: as any*/),
        {
          "alias": null,
          "args": null,
          "kind": "ScalarField",
          "name": "status",
          "storageKey": null
        }
      ],
      "storageKey": null
    }
  ],
  "type": "CancelJobPayload",
  "abstractKey": null
},
v5 = {
  "kind": "InlineFragment",
  "selections": [
    {
      "alias": null,
      "args": null,
      "kind": "ScalarField",
      "name": "code",
      "storageKey": null
    },
    {
      "alias": null,
      "args": null,
      "kind": "ScalarField",
      "name": "message",
      "storageKey": null
    }
  ],
  "type": "Error",
  "abstractKey": "__isError"
};
return {
  "fragment": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Fragment",
    "metadata": null,
    "name": "jobsCancelMutation",
    "selections": [
      {
        "alias": null,
        "args": (v1/*:: as any*/),
        "concreteType": null,
        "kind": "LinkedField",
        "name": "cancelJob",
        "plural": false,
        "selections": [
          (v2/*:: as any*/),
          (v4/*:: as any*/),
          (v5/*:: as any*/)
        ],
        "storageKey": null
      }
    ],
    "type": "Mutation",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Operation",
    "name": "jobsCancelMutation",
    "selections": [
      {
        "alias": null,
        "args": (v1/*:: as any*/),
        "concreteType": null,
        "kind": "LinkedField",
        "name": "cancelJob",
        "plural": false,
        "selections": [
          (v2/*:: as any*/),
          (v4/*:: as any*/),
          (v5/*:: as any*/),
          {
            "kind": "InlineFragment",
            "selections": [
              (v3/*:: as any*/)
            ],
            "type": "NotFoundError",
            "abstractKey": null
          }
        ],
        "storageKey": null
      }
    ]
  },
  "params": {
    "cacheID": "ccede4887f357867542fe2afbc264ff6",
    "id": null,
    "metadata": {},
    "name": "jobsCancelMutation",
    "operationKind": "mutation",
    "text": "mutation jobsCancelMutation(\n  $input: CancelJobInput!\n) {\n  cancelJob(input: $input) {\n    __typename\n    ... on CancelJobPayload {\n      job {\n        id\n        status\n      }\n    }\n    ... on Error {\n      __isError: __typename\n      code\n      message\n    }\n    ... on NotFoundError {\n      id\n    }\n  }\n}\n"
  }
};
})();

(node as any).hash = "db95f4e8d3a4e57478d060ac545f2da2";

export default node;
