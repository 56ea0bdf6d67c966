export { GroupSyncedDatabase } from './group-sync.ts';
export { inTransaction, openDatabase, parseBody } from './sqlite-database.ts';
