/**
 * @generated SignedSource<<92215e8cf49b68c51b6c5991e89e0691>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
export type JobStatus = "BLOCKED" | "CANCELLED" | "CANCELLING" | "FAILED" | "QUEUED" | "RUNNING" | "SUCCEEDED" | "SUSPENDED";
export type jobsFindQuery$variables = {
  id: string;
};
export type jobsFindQuery$data = {
  readonly job: {
    readonly id: string;
    readonly name: string;
    readonly status: JobStatus;
  } | null | undefined;
};
export type jobsFindQuery = {
  response: jobsFindQuery$data;
  variables: jobsFindQuery$variables;
};

const node: ConcreteRequest = (function(){
var v0 = [
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "id"
  }
],
v1 = [
  {
    "alias": null,
    "args": [
      {
        "kind": "Variable",
        "name": "id",
        "variableName": "id"
      }
    ],
    "concreteType": "Job",
    "kind": "LinkedField",
    "name": "job",
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
];
return {
  "fragment": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Fragment",
    "metadata": null,
    "name": "jobsFindQuery",
    "selections": (v1/*:: as any*/),
    "type": "Query",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Operation",
    "name": "jobsFindQuery",
    "selections": (v1/*:: as any*/)
  },
  "params": {
    "cacheID": "859c8c298aed9a392b92a1d03a93276d",
    "id": null,
    "metadata": {},
    "name": "jobsFindQuery",
    "operationKind": "query",
    "text": "query jobsFindQuery(\n  $id: ID!\n) {\n  job(id: $id) {\n    id\n    name\n    status\n  }\n}\n"
  }
};
})();

(node as any).hash = "db1fca97a22a2d7ea75101cc74ae3968";

export default node;
