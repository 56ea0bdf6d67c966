import type { Logger, Meter } from '../base/mod.ts';
import type { OnDamaged } from '../records/mod.ts';

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
