import { join } from 'node:path';
import { DiskFiles } from '../../../src/store/files/disk.ts';
import { createFolder } from '../../support/folders.ts';
import { describeFileStore } from './contract.ts';
import { TableFiles } from './table-files.ts';

describeFileStore('a folder', () => {
  const folder = createFolder('files');
  return { files: new DiskFiles(folder), reopen: () => new DiskFiles(folder) };
});

describeFileStore('a table', () => {
  const file = join(createFolder('files'), 'files.sqlite');
  return { files: new TableFiles(file), reopen: () => new TableFiles(file) };
});
