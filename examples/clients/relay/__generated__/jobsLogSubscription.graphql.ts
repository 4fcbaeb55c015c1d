/**
 * @generated SignedSource<<c6dcc8ad483642c7547a303f911cf92b>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
export type StreamState = "ENDED" | "LIVE" | "REPLAYING";
export type jobsLogSubscription$variables = {
  after?: string | null | undefined;
  jobId: string;
};
export type jobsLogSubscription$data = {
  readonly log: {
    readonly chunks: ReadonlyArray<{
      readonly text: string;
    }>;
    readonly cursor: string;
    readonly state: StreamState;
  };
};
export type jobsLogSubscription = {
  response: jobsLogSubscription$data;
  variables: jobsLogSubscription$variables;
};

const node: ConcreteRequest = (function(){
var v0 = {
  "defaultValue": null,
  "kind": "LocalArgument",
  "name": "after"
},
v1 = {
  "defaultValue": null,
  "kind": "LocalArgument",
  "name": "jobId"
},
v2 = [
  {
    "alias": null,
    "args": [
      {
        "kind": "Variable",
        "name": "after",
        "variableName": "after"
      },
      {
        "kind": "Variable",
        "name": "jobId",
        "variableName": "jobId"
      }
    ],
    "concreteType": "LogFrame",
    "kind": "LinkedField",
    "name": "log",
    "plural": false,
    "selections": [
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "cursor",
        "storageKey": null
      },
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "state",
        "storageKey": null
      },
      {
        "alias": null,
        "args": null,
        "concreteType": "LogChunk",
        "kind": "LinkedField",
        "name": "chunks",
        "plural": true,
        "selections": [
          {
            "alias": null,
            "args": null,
            "kind": "ScalarField",
            "name": "text",
            "storageKey": null
          }
        ],
        "storageKey": null
      }
    ],
    "storageKey": null
  }
];
return {
  "fragment": {
    "argumentDefinitions": [
      (v0/*:: as any*/),
      (v1/*:: as any*/)
    ],
    "kind": "Fragment",
    "metadata": null,
    "name": "jobsLogSubscription",
    "selections": (v2/*:: as any*/),
    "type": "Subscription",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": [
      (v1/*:: as any*/),
      (v0/*:: as any*/)
    ],
    "kind": "Operation",
    "name": "jobsLogSubscription",
    "selections": (v2/*:: as any*/)
  },
  "params": {
    "cacheID": "cf59aa0fce4dd566491499b7786cf560",
    "id": null,
    "metadata": {},
    "name": "jobsLogSubscription",
    "operationKind": "subscription",
    "text": "subscription jobsLogSubscription(\n  $jobId: ID!\n  $after: Cursor\n) {\n  log(jobId: $jobId, after: $after) {\n    cursor\n    state\n    chunks {\n      text\n    }\n  }\n}\n"
  }
};
})();

(node as any).hash = "c3235cf732ed3fc1fb803104f571acd2";

export default node;
