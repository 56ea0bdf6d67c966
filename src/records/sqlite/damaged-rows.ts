import type { SQLOutputValue } from 'node:sqlite';
import { isSluiceError } from '../../base/mod.ts';
import { parseBody } from '../../database/mod.ts';
import type { OnDamaged } from '../store.ts';

type Row = Record<string, SQLOutputValue>;

export const nameOfFunction = (row: Row) => `${row['account_id']}/${row['name']}`;

/** The records of the rows. One that cannot be read is reported and skipped, or thrown. */
export function readRows<T>(
  rows: readonly Row[],
  nameOf: (row: Row) => string,
  onDamaged: OnDamaged | undefined,
): T[] {
  return rows.flatMap((row) => {
    try {
      return [parseBody<T>(row['body'], nameOf(row))];
    } catch (error) {
      if (!onDamaged || !isSluiceError(error)) throw error;
      onDamaged(nameOf(row), error);
      return [];
    }
  });
}

interface Pages<P> {
  readonly after: P;
  rowsAfter(position: P, count: number): Row[];
  positionOf(row: Row): P;
  nameOf(row: Row): string;
}

/** A page that has `limit` records if so many are left, however many rows are skipped. */
export function readPage<T, P>(
  limit: number,
  onDamaged: OnDamaged | undefined,
  pages: Pages<P>,
): T[] {
  const records: T[] = [];
  let position = pages.after;
  while (records.length < limit) {
    const wanted = limit - records.length;
    const rows = pages.rowsAfter(position, wanted);
    records.push(...readRows<T>(rows, pages.nameOf, onDamaged));
    const last = rows.at(-1);
    if (!last || rows.length < wanted) break;
    position = pages.positionOf(last);
  }
  return records;
}
