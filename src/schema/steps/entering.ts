/** Mutations that let their caller into a running step. */
import { InvalidInput, InvalidState, NotFound } from '../../domain/core/refusals.ts';
import { execInStep, forwardPort, openHttp, type StepSession } from '../../domain/steps/entering.ts';
import type { SignedGrant } from '../../domain/steps/grants.ts';
import { builder } from '../core/builder.ts';
import { defineMutation } from '../core/errors.ts';

const chosenStep = 'Its number. Default: the only step of the job that runs.';

const StepSessionType = builder.objectRef<StepSession>('StepSession').implement({
  description:
    'Permission to open a WebSocket into a running step. Send the token as the first message, as text. What follows is binary, in ' +
    'both directions: frames of one byte for the type, four for the length, and the content. Messages need not end where frames end. ' +
    'Types: 1 input, 2 end of input, 3 stdout, 4 stderr, 5 exit (`{"exitCode": 0, "signal": null}`), 6 a problem (`{"code": "…", "message": ' +
    '"…"}`). A forwarded port has the types 1, 2 and 6 alone.',
  fields: (t) => ({
    url: t.exposeString('url', { description: "The path of the WebSocket, relative to the gateway's address." }),
    token: t.exposeString('token', {
      description: 'Opens the session, for whoever has it. For a command once, for a port any number of times.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: 'Until when the token opens a session. It ends sooner with its key, and with the attempt of the step.',
    }),
  }),
});

defineMutation('execInStep', {
  description:
    "Lets the caller run a command inside a running step: as the step's user, in its environment, work folder or container. The " +
    'command sees all that the step sees, its secrets included, and ends with the step.',
  input: builder.inputType('ExecInStepInput', {
    description: 'The command, and where to run it.',
    fields: (t) => ({
      jobId: t.id({ required: true, description: 'The job of the step.' }),
      stepNumber: t.int({ description: chosenStep }),
      command: t.stringList({
        required: true,
        description: 'The program and its arguments, as they are: no shell reads them. For a shell: `["sh", "-c", "…"]`.',
      }),
    }),
  }),
  payload: builder.objectRef<{ session: StepSession }>('ExecInStepPayload').implement({
    description: 'The command may be run.',
    fields: (t) => ({ session: t.expose('session', { type: StepSessionType, description: 'Where to run it.' }) }),
  }),
  refusals: [NotFound, InvalidInput, InvalidState],
  decide: execInStep,
});

defineMutation('forwardPort', {
  description: 'Lets the caller connect to a port on which a process of a running step listens.',
  input: builder.inputType('ForwardPortInput', {
    description: 'The port.',
    fields: (t) => ({
      jobId: t.id({ required: true, description: 'The job of the step.' }),
      stepNumber: t.int({ description: chosenStep }),
      port: t.int({ required: true, description: 'The port of the step: 1 to 65535. A port of anything else on its device is refused.' }),
    }),
  }),
  payload: builder.objectRef<{ session: StepSession }>('ForwardPortPayload').implement({
    description: 'The port may be used.',
    fields: (t) => ({
      session: t.expose('session', { type: StepSessionType, description: 'Where to connect. One WebSocket is one connection.' }),
    }),
  }),
  refusals: [NotFound, InvalidInput, InvalidState],
  decide: forwardPort,
});

defineMutation('openHttp', {
  description:
    "Makes a link to the HTTP port of a job's running step, for a browser. Its pages run without any right of their viewer: they " +
    'have no origin, so they can neither call the gateway nor read its cookies.',
  input: builder.inputType('OpenHttpInput', {
    description: 'The job.',
    fields: (t) => ({ jobId: t.id({ required: true, description: 'The job whose running step has an HTTP port.' }) }),
  }),
  payload: builder.objectRef<{ url: string; expiresAt: SignedGrant['expiresAt'] }>('OpenHttpPayload').implement({
    description: 'The link was made.',
    fields: (t) => ({
      url: t.exposeString('url', {
        description: "The link, relative to the gateway's address. Whoever has it can use the port.",
      }),
      expiresAt: t.expose('expiresAt', {
        type: 'DateTime',
        description: 'Until when it is valid. It ends sooner with its key, and with the attempt of the step.',
      }),
    }),
  }),
  refusals: [NotFound, InvalidState],
  decide: openHttp,
});
