export { type OnDamaged, readPage, readRows, reportDamaged } from './damaged-rows.ts';
export { GroupSyncedDatabase } from './group-sync.ts';
export { BEGIN, COMMIT, inTransaction, openDatabase, parseBody } from './sqlite-database.ts';
