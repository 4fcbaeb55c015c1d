import { insertOf } from './inserts.ts';

export const insertProject = insertOf('projects');
