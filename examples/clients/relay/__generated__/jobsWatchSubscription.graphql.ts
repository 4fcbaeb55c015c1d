/**
 * @generated SignedSource<<a989303d689c89db1e9343172330d0e8>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
import type { FragmentRefs } from "relay-runtime";
export type jobsWatchSubscription$variables = {
  jobId: string;
};
export type jobsWatchSubscription$data = {
  readonly jobUpdated: {
    readonly " $fragmentSpreads": FragmentRefs<"jobs_job">;
  };
};
export type jobsWatchSubscription = {
  response: jobsWatchSubscription$data;
  variables: jobsWatchSubscription$variables;
};

const node: ConcreteRequest = (function(){
var v0 = [
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "jobId"
  }
],
v1 = [
  {
    "kind": "Variable",
    "name": "jobId",
    "variableName": "jobId"
  }
];
return {
  "fragment": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Fragment",
    "metadata": null,
    "name": "jobsWatchSubscription",
    "selections": [
      {
        "alias": null,
        "args": (v1/*:: as any*/),
        "concreteType": "Job",
        "kind": "LinkedField",
        "name": "jobUpdated",
        "plural": false,
        "selections": [
          {
            "args": null,
            "kind": "FragmentSpread",
            "name": "jobs_job"
          }
        ],
        "storageKey": null
      }
    ],
    "type": "Subscription",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Operation",
    "name": "jobsWatchSubscription",
    "selections": [
      {
        "alias": null,
        "args": (v1/*:: as any*/),
        "concreteType": "Job",
        "kind": "LinkedField",
        "name": "jobUpdated",
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
          }
        ],
        "storageKey": null
      }
    ]
  },
  "params": {
    "cacheID": "883eba29fc62f38450972b4bbc1b9c53",
    "id": null,
    "metadata": {},
    "name": "jobsWatchSubscription",
    "operationKind": "subscription",
    "text": "subscription jobsWatchSubscription(\n  $jobId: ID!\n) {\n  jobUpdated(jobId: $jobId) {\n    ...jobs_job\n    id\n  }\n}\n\nfragment jobs_job on Job {\n  id\n  name\n  status\n}\n"
  }
};
})();

(node as any).hash = "310c03cb3b7ddaefac39e1eabd87a84a";

export default node;
