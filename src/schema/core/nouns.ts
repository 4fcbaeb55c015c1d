/**
 * The types of stored rows, declared by name only.
 *
 * Each is implemented in its own file (`Project.implement({…})`). Other files refer to it from
 * here, so that types that refer to each other do not import each other in a circle. A field is
 * added in the file that has what it reads: `Job.fragments` in fragments.ts, `Project.jobs` in
 * jobs/lists.ts.
 */
import type { ShownJob } from '../../store/queries/jobs.ts';
import type { ShownModelVersion } from '../../store/queries/models.ts';
import type { ShownStep } from '../../store/queries/steps.ts';
import type {
  ApiKeyRow,
  ApplicationRow,
  AttemptRow,
  DeviceRow,
  ExperimentRow,
  FragmentRow,
  JobItemRow,
  ModelRow,
  ProjectRow,
} from '../../store/schema/tables.ts';
import { builder } from './builder.ts';

export const Project = builder.objectRef<ProjectRow>('Project');
export const Application = builder.objectRef<ApplicationRow>('Application');
export const Job = builder.objectRef<ShownJob>('Job');
export const JobItem = builder.objectRef<JobItemRow>('JobItem');
export const Step = builder.objectRef<ShownStep>('Step');
export const Attempt = builder.objectRef<AttemptRow>('Attempt');
export const Device = builder.objectRef<DeviceRow>('Device');
export const Fragment = builder.objectRef<FragmentRow>('Fragment');
export const ApiKey = builder.objectRef<ApiKeyRow>('ApiKey');
export const Experiment = builder.objectRef<ExperimentRow>('Experiment');
export const Model = builder.objectRef<ModelRow>('Model');
export const ModelVersion = builder.objectRef<ShownModelVersion>('ModelVersion');
