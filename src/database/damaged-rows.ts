import type { SQLOutputValue } from 'node:sqlite';
import { isSluiceError, type Logger, type Meter, type SluiceError } from '../base/mod.ts';
import { parseBody } from './sqlite-database.ts';

type Row = Record<string, SQLOutputValue>;

/** Hears of a record that cannot be read: its key, and the error. */
export type OnDamaged = (record: string, error: SluiceError) => void;

/** Names each damaged record in the log and counts it; the others are still served. */
export function reportDamaged(logger: Logger, meter: Meter): OnDamaged {
  const count = meter.counter(
    'sluice_damaged_records_total',
    'Records passed over because they cannot be read, each time that they were.',
  );
  return (record, error) => {
    count.add(1);
    logger.error({ record, error }, 'a record is damaged and passed over');
  };
}

/** The records of the rows' bodies. One that cannot be read is reported and skipped, or thrown. */
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
