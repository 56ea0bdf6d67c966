import type { DatabaseSync } from 'node:sqlite';
import { limits } from '../base/mod.ts';

/** Of `PRAGMA auto_vacuum` (sqlite.org/pragma.html). */
const INCREMENTAL = 2;

/** A file of an earlier Sluice keeps its size for ever unless it is rewritten once. */
export function makeShrinkable(database: DatabaseSync): void {
  const row = database.prepare('PRAGMA auto_vacuum').get();
  if (Number(row?.['auto_vacuum']) === INCREMENTAL) return;
  database.exec('PRAGMA auto_vacuum = INCREMENTAL; VACUUM;');
}

/** Free pages, a part at a time, so that no batch waits long for it. */
export function giveBack(database: DatabaseSync): void {
  const row = database.prepare('PRAGMA freelist_count').get();
  const { freePages, pagesPerVacuum } = limits.queue;
  if (Number(row?.['freelist_count']) <= freePages) return;
  database.exec(`PRAGMA incremental_vacuum(${pagesPerVacuum})`);
}
