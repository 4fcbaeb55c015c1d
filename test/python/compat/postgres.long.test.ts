import { createPostgresDatabase } from '../../support/databases.ts';
import { runDocuments } from './compat.ts';

runDocuments(createPostgresDatabase, 'postgres');
