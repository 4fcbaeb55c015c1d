import { createSqliteDatabase } from '../../support/databases.ts';
import { runDocuments } from './compat.ts';

runDocuments(createSqliteDatabase, 'sqlite');
