import type { Container as ContainerShape } from '../../domain/core/vocabulary.ts';
import { builder } from '../core/builder.ts';
import { IN_ITS_ROW } from '../core/sizes.ts';
import { Resources, ResourcesInput } from './resources.ts';

/** Describes what a key without the right to read a field gets instead (guards.ts). */
const hidden = (text: string) => `\`${text}\` for a key of kind WATCH.`;

const ContainerBuild = builder.objectRef<NonNullable<ContainerShape['build']>>('ContainerBuild').implement({
  description: 'How to build the image when none is given.',
  fields: (t) => ({
    context: t.exposeString('context', { description: `The folder or Git URL to build from; ${hidden('***')}` }),
    dockerfile: t.exposeString('dockerfile', { description: 'The path of the Dockerfile within the context.' }),
    properties: t.expose('properties', {
      type: 'JSONObject',
      description: `Other properties for the builder, as they were given; ${hidden('{}')}`,
    }),
  }),
});

const EnvironmentVariable = builder.objectRef<ContainerShape['env'][number]>('EnvironmentVariable').implement({
  description: 'An environment variable of a step.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name.' }),
    value: t.string({
      description: `Its value, as text; \`***\` where isSecret, and ${hidden('***')}`,
      resolve: ({ value, isSecret }) => (isSecret ? '***' : value),
    }),
    isSecret: t.boolean({
      description:
        'Whether its value is secret. A secret value is returned only to the device that claims the step (`secretEnv`), and is ' +
        'masked in what the step reports.',
      resolve: ({ isSecret }) => isSecret ?? false,
    }),
  }),
});

const Volume = builder.objectRef<ContainerShape['volumes'][number]>('Volume').implement({
  description: 'Storage that is mounted into the container.',
  fields: (t) => ({
    storage: t.exposeString('storage', { description: `What to mount: a path or a URL that the device understands; ${hidden('***')}` }),
    containerPath: t.exposeString('containerPath', { description: 'The path inside the container.' }),
    isReadOnly: t.exposeBoolean('isReadOnly', { description: 'Whether the mount is read-only.' }),
  }),
});

const requiresAuth =
  'Who can reach the port. True: whoever may see the job, through the gateway, at `/jobs/ID/http/`. On its device the port of a ' +
  'container is published on the loopback address only; a process opens its port itself, and should listen on 127.0.0.1. False: ' +
  'the port of a container is published on all addresses of its device, and nobody has to sign in.';

const HttpPort = builder.objectRef<NonNullable<ContainerShape['http']>>('HttpPort').implement({
  description: 'The port where a container or process serves HTTP.',
  fields: (t) => ({
    port: t.exposeInt('port', { description: 'The port inside the container.' }),
    requiresAuth: t.exposeBoolean('requiresAuth', { description: requiresAuth }),
  }),
});

export const Container = builder.objectRef<ContainerShape>('Container').implement({
  description:
    'What a step runs, and where. With `image` or `build` it runs in a container, otherwise `command` runs as a process on the ' +
    'device.',
  fields: (t) => ({
    image: t.exposeString('image', { nullable: true, description: 'The image to run. Null: the command runs as a process on the device.' }),
    entrypoint: t.exposeString('entrypoint', { nullable: true, description: "Replaces the image's own entrypoint." }),
    command: t.exposeString('command', { nullable: true, description: "The command line to run. Null: the image's default command." }),
    build: t.expose('build', { type: ContainerBuild, nullable: true, description: 'How to build the image, if it must be built.' }),
    env: t.expose('env', {
      type: [EnvironmentVariable],
      size: IN_ITS_ROW,
      description: 'Environment variables, in addition to those that every step gets.',
    }),
    volumes: t.expose('volumes', { type: [Volume], size: IN_ITS_ROW, description: 'Storage that is mounted into it.' }),
    http: t.expose('http', { type: HttpPort, nullable: true, description: 'The port where it serves HTTP, if it does.' }),
    resources: t.expose('resources', { type: Resources, description: 'The resources that it needs.' }),
    properties: t.expose('properties', {
      type: 'JSONObject',
      description: `Other properties for the device, as they were given; ${hidden('{}')}`,
    }),
  }),
});

const ContainerBuildInput = builder.inputType('ContainerBuildInput', {
  description: 'How to build an image.',
  fields: (t) => ({
    context: t.string({ required: true, description: 'The folder or Git URL to build from.' }),
    dockerfile: t.string({ required: true, defaultValue: 'Dockerfile', description: 'The path of the Dockerfile within the context.' }),
    properties: t.field({ type: 'JSONObject', description: 'Other properties for the builder.' }),
  }),
});

const EnvironmentVariableInput = builder.inputType('EnvironmentVariableInput', {
  description: 'An environment variable.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Its name: letters, digits and underscores. It cannot begin with a digit.' }),
    value: t.string({
      required: true,
      description: 'Its value, as text. `trainyard agent` cannot pass a value with a line break to a container.',
    }),
    isSecret: t.boolean({
      required: true,
      defaultValue: false,
      description: 'Whether its value is shown only to the device that runs the step. A container has at most 32 secret variables.',
    }),
  }),
});

const VolumeInput = builder.inputType('VolumeInput', {
  description: 'Storage to mount into the container.',
  fields: (t) => ({
    storage: t.string({ required: true, description: 'What to mount: a path or a URL that the device understands.' }),
    containerPath: t.string({ required: true, description: 'The path inside the container.' }),
    isReadOnly: t.boolean({ required: true, defaultValue: false, description: 'Whether the mount is read-only.' }),
  }),
});

const HttpPortInput = builder.inputType('HttpPortInput', {
  description: 'The port where a container or process serves HTTP.',
  fields: (t) => ({
    port: t.int({ required: true, description: 'The port inside the container: 1 to 65535.' }),
    requiresAuth: t.boolean({ required: true, defaultValue: true, description: requiresAuth }),
  }),
});

export const ContainerInput = builder.inputType('ContainerInput', {
  description: 'What to run: an image, a command, or both.',
  fields: (t) => ({
    image: t.string({ description: 'The image to run. Without one, the command runs as a process of the device.' }),
    entrypoint: t.string({ description: "Replaces the image's own entrypoint." }),
    command: t.string({ description: 'The command line to run, like `python train.py --epochs 5`.' }),
    build: t.field({ type: ContainerBuildInput, description: 'How to build the image, if it must be built.' }),
    env: t.field({ type: [EnvironmentVariableInput], description: 'Environment variables.' }),
    volumes: t.field({ type: [VolumeInput], description: 'Storage to mount into it.' }),
    http: t.field({ type: HttpPortInput, description: 'The port where it serves HTTP.' }),
    resources: t.field({ type: ResourcesInput, description: "The resources that it needs. The step's own resources take precedence." }),
    properties: t.field({ type: 'JSONObject', description: 'Other properties for the device.' }),
  }),
});
