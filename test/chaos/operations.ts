/**
 * The operations of chaos clients, with the types of input and answer. Notes keep both unchanged.
 */
import {
  CancelJobDocument,
  type CancelJobInput,
  type CancelJobMutation,
  ClaimNextStepsDocument,
  type ClaimNextStepsInput,
  type ClaimNextStepsMutation,
  CompleteStepDocument,
  type CompleteStepInput,
  type CompleteStepMutation,
  CreateFragmentDocument,
  type CreateFragmentInput,
  type CreateFragmentMutation,
  CreateJobDocument,
  type CreateJobInput,
  type CreateJobMutation,
  FailStepDocument,
  type FailStepInput,
  type FailStepMutation,
  RegisterDeviceDocument,
  type RegisterDeviceInput,
  type RegisterDeviceMutation,
  ReleaseStepDocument,
  type ReleaseStepInput,
  type ReleaseStepMutation,
  RenewLeaseDocument,
  type RenewLeaseInput,
  type RenewLeaseMutation,
  ReportProgressDocument,
  type ReportProgressInput,
  type ReportProgressMutation,
  type TypedDocumentString,
} from '../../src/client/generated.ts';

/** The bytes of an announced fragment, sent by PUT. */
export interface UploadInput {
  readonly fragmentId: string;
  /** Relative, with a signature. */
  readonly url: string;
  readonly leaseToken: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

export type UploadResult =
  | { readonly __typename: 'Uploaded'; readonly sha256: string }
  | { readonly __typename: 'UploadRefused'; readonly status: number; readonly code: string; readonly message: string };

/** Every operation with its input and its answer: the payload or a refusal of its result union. */
export interface Operations {
  createJob: { input: CreateJobInput; result: CreateJobMutation['createJob'] };
  cancelJob: { input: CancelJobInput; result: CancelJobMutation['cancelJob'] };
  registerDevice: { input: RegisterDeviceInput; result: RegisterDeviceMutation['registerDevice'] };
  claimNextSteps: { input: ClaimNextStepsInput; result: ClaimNextStepsMutation['claimNextSteps'] };
  renewLease: { input: RenewLeaseInput; result: RenewLeaseMutation['renewLease'] };
  reportProgress: { input: ReportProgressInput; result: ReportProgressMutation['reportProgress'] };
  createFragment: { input: CreateFragmentInput; result: CreateFragmentMutation['createFragment'] };
  uploadFragment: { input: UploadInput; result: UploadResult };
  completeStep: { input: CompleteStepInput; result: CompleteStepMutation['completeStep'] };
  failStep: { input: FailStepInput; result: FailStepMutation['failStep'] };
  releaseStep: { input: ReleaseStepInput; result: ReleaseStepMutation['releaseStep'] };
}

export type OperationName = keyof Operations;
/** The mutations; an upload is a PUT. */
export type MutationName = Exclude<OperationName, 'uploadFragment'>;

type MutationDocument<K extends MutationName> = TypedDocumentString<
  { readonly [N in K]: Operations[K]['result'] },
  { readonly input: Operations[K]['input'] }
>;

export const documents: { readonly [K in MutationName]: MutationDocument<K> } = {
  createJob: CreateJobDocument,
  cancelJob: CancelJobDocument,
  registerDevice: RegisterDeviceDocument,
  claimNextSteps: ClaimNextStepsDocument,
  renewLease: RenewLeaseDocument,
  reportProgress: ReportProgressDocument,
  createFragment: CreateFragmentDocument,
  completeStep: CompleteStepDocument,
  failStep: FailStepDocument,
  releaseStep: ReleaseStepDocument,
};
