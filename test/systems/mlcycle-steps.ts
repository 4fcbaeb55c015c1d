/** Shortcuts of mlcycle's client that most of its tests begin with. */
import * as ask from './generated.ts';
import { type Caller, done, type System } from './system.ts';

export function stepsOf(system: System) {
  const addProject = async (name = 'Project 1') => {
    const input = { name, gitRepository: 'https://github.com/cemizm/tf-benchmark-gpu.git' };
    return done((await system.admin.ask(ask.AddProjectDocument, { input })).createProject).project;
  };
  const trigger = async (projectId: string) => done((await system.admin.ask(ask.TriggerDocument, { projectId })).triggerJob).job;
  const claim = async (jobId: string, stepNumber = 0, worker: Caller = system.admin) =>
    done((await worker.ask(ask.ClaimDocument, { jobId, stepNumber })).claimStep);
  const complete = async (leaseToken: string) => done((await system.admin.ask(ask.CompleteDocument, { leaseToken })).completeStep);
  const createPipeline = async (projectId: string, names: readonly string[]) => {
    const input = { projectId, name: 'A pipeline', steps: names.map((name) => ({ name })) };
    return done((await system.admin.ask(ask.CreatePipelineDocument, { input })).createJob).job;
  };
  const statusesOf = async (jobId: string) => {
    const { job } = await system.admin.ask(ask.GetJobByIdDocument, { id: jobId });
    return [job?.status, ...(job?.steps.map(({ status }) => status) ?? [])];
  };
  const addWorker = async (projectId: string, name = 'Worker 1') => {
    const { device, apiKey } = done((await system.admin.ask(ask.AddWorkerDocument, { input: { projectId, name } })).registerDevice);
    return { device, caller: system.as(apiKey ?? '') };
  };

  return { addProject, trigger, claim, complete, createPipeline, statusesOf, addWorker };
}
