import type { Container as ContainerShape } from '../../domain/core/vocabulary.ts';
import { builder } from '../core/builder.ts';
import { IN_ITS_ROW } from '../core/sizes.ts';
import { Resources, ResourcesInput } from './resources.ts';

/** What a key without the right to read a field is shown in its place (guards.ts). */
const hidden = (text: string) => `\`${text}\` for a key of kind WATCH, whose link is shared.`;

const ContainerBuild = builder.objectRef<NonNullable<ContainerShape['build']>>('ContainerBuild').implement({
  description: 'How to build the image, where none is given.',
  fields: (t) => ({
    context: t.exposeString('context', { description: `The folder or Git URL that the build starts from; ${hidden('***')}` }),
    dockerfile: t.exposeString('dockerfile', { description: 'The path of the Dockerfile within the context.' }),
    properties: t.expose('properties', {
      type: 'JSONObject',
      description: `Whatever else the builder takes, as it was given; ${hidden('{}')}`,
    }),
  }),
});

const EnvironmentVariable = builder.objectRef<ContainerShape['env'][number]>('EnvironmentVariable').implement({
  description: 'A variable of the environment that a step runs in.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name.' }),
    value: t.string({
      description: `Its value, as text; \`***\` where isSecret, and ${hidden('***')}`,
      resolve: ({ value, isSecret }) => (isSecret ? '***' : value),
    }),
    isSecret: t.boolean({
      description: 'Whether its value is answered to the claims alone that run it (`secretEnv`), and masked in what their steps report.',
      resolve: ({ isSecret }) => isSecret ?? false,
    }),
  }),
});

const Volume = builder.objectRef<ContainerShape['volumes'][number]>('Volume').implement({
  description: 'Storage that is mounted into the container.',
  fields: (t) => ({
    storage: t.exposeString('storage', { description: `What is mounted: a path or a URL that the device understands; ${hidden('***')}` }),
    containerPath: t.exposeString('containerPath', { description: 'Where it is found inside the container.' }),
    isReadOnly: t.exposeBoolean('isReadOnly', { description: 'Whether the container cannot write to it.' }),
  }),
});

const requiresAuth =
  'Whether the port is not for everyone. True: a container’s port is published on the loopback address of its device alone, and nobody signs in. False: on all of its addresses. A process opens its port by itself: it has to listen on 127.0.0.1 to be reached from its device alone.';

const HttpPort = builder.objectRef<NonNullable<ContainerShape['http']>>('HttpPort').implement({
  description: 'A port on which the container serves HTTP.',
  fields: (t) => ({
    port: t.exposeInt('port', { description: 'The port inside the container.' }),
    requiresAuth: t.exposeBoolean('requiresAuth', { description: requiresAuth }),
  }),
});

export const Container = builder.objectRef<ContainerShape>('Container').implement({
  description:
    'What a step runs, and where: with an `image`, or one to `build`, in a container; without, `command` as a process of the device.',
  fields: (t) => ({
    image: t.exposeString('image', { nullable: true, description: 'The image to run. Null: the command runs as a process of the device.' }),
    entrypoint: t.exposeString('entrypoint', { nullable: true, description: "Replaces the image's own entrypoint." }),
    command: t.exposeString('command', { nullable: true, description: 'The command line to run. Null: what the image runs by itself.' }),
    build: t.expose('build', { type: ContainerBuild, nullable: true, description: 'How to build the image, if it is to be built.' }),
    env: t.expose('env', {
      type: [EnvironmentVariable],
      size: IN_ITS_ROW,
      description: 'Variables of its environment, beside those that every step gets.',
    }),
    volumes: t.expose('volumes', { type: [Volume], size: IN_ITS_ROW, description: 'Storage that is mounted into it.' }),
    http: t.expose('http', { type: HttpPort, nullable: true, description: 'The port on which it serves HTTP, if it does.' }),
    resources: t.expose('resources', { type: Resources, description: 'What it needs of its device.' }),
    properties: t.expose('properties', {
      type: 'JSONObject',
      description: `Whatever else its device understands, as it was given; ${hidden('{}')}`,
    }),
  }),
});

const ContainerBuildInput = builder.inputType('ContainerBuildInput', {
  description: 'How to build an image.',
  fields: (t) => ({
    context: t.string({ required: true, description: 'The folder or Git URL that the build starts from.' }),
    dockerfile: t.string({ required: true, defaultValue: 'Dockerfile', description: 'The path of the Dockerfile within the context.' }),
    properties: t.field({ type: 'JSONObject', description: 'Whatever else the builder takes.' }),
  }),
});

const EnvironmentVariableInput = builder.inputType('EnvironmentVariableInput', {
  description: 'A variable of the environment.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Its name: letters, digits and underscores, not beginning with a digit.' }),
    value: t.string({
      required: true,
      description: 'Its value, as text. One with a line break is not for a container run by `trainyard agent`.',
    }),
    isSecret: t.boolean({
      required: true,
      defaultValue: false,
      description: 'Whether its value is to be shown to nobody but the device that runs the step. At most 32 of a container.',
    }),
  }),
});

const VolumeInput = builder.inputType('VolumeInput', {
  description: 'Storage to mount into the container.',
  fields: (t) => ({
    storage: t.string({ required: true, description: 'What to mount: a path or a URL that the device understands.' }),
    containerPath: t.string({ required: true, description: 'Where it is to be found inside the container.' }),
    isReadOnly: t.boolean({ required: true, defaultValue: false, description: 'Whether the container may not write to it.' }),
  }),
});

const HttpPortInput = builder.inputType('HttpPortInput', {
  description: 'A port on which the container serves HTTP.',
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
    build: t.field({ type: ContainerBuildInput, description: 'How to build the image, if it is to be built.' }),
    env: t.field({ type: [EnvironmentVariableInput], description: 'Variables of its environment.' }),
    volumes: t.field({ type: [VolumeInput], description: 'Storage to mount into it.' }),
    http: t.field({ type: HttpPortInput, description: 'The port on which it serves HTTP.' }),
    resources: t.field({ type: ResourcesInput, description: "What it needs of its device. A step's own resources win over these." }),
    properties: t.field({ type: 'JSONObject', description: 'Whatever else its device understands.' }),
  }),
});
