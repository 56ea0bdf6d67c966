export { inTransaction, openDatabase, parseBody } from './sqlite-database.ts';
