/**
 * @generated SignedSource<<a1fb19fa8be2cfdefe34f74accc4dbcc>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ReaderFragment } from 'relay-runtime';
export type JobStatus = "BLOCKED" | "CANCELLED" | "CANCELLING" | "FAILED" | "QUEUED" | "RUNNING" | "SUCCEEDED" | "SUSPENDED";
import type { FragmentRefs } from "relay-runtime";
export type jobs_job$data = {
  readonly id: string;
  readonly name: string;
  readonly status: JobStatus;
  readonly " $fragmentType": "jobs_job";
};
export type jobs_job$key = {
  readonly " $data"?: jobs_job$data;
  readonly " $fragmentSpreads": FragmentRefs<"jobs_job">;
};

import jobsRefetchQuery_graphql from './jobsRefetchQuery.graphql';

const node: ReaderFragment = {
  "argumentDefinitions": [],
  "kind": "Fragment",
  "metadata": {
    "refetch": {
      "connection": null,
      "fragmentPathInResult": [
        "node"
      ],
      "operation": jobsRefetchQuery_graphql,
      "identifierInfo": {
        "identifierField": "id",
        "identifierQueryVariableName": "id"
      }
    }
  },
  "name": "jobs_job",
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
  "type": "Job",
  "abstractKey": null
};

(node as any).hash = "47624d38f90e97ec642e6b839f2be403";

export default node;
