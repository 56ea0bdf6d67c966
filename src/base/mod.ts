export { assert, unreachable } from './assert.ts';
export { BoundedQueue } from './bounded-queue.ts';
export { type Clock, systemClock, type Timer } from './clock.ts';
export { withDeadline } from './deadline.ts';
export { type ErrorCode, errorCatalogue } from './error-catalogue.ts';
export { errorFields } from './error-fields.ts';
export {
  type ErrorData,
  type ErrorTraits,
  type Fault,
  isSluiceError,
  SluiceError,
  systemErrorCode,
  toSluiceError,
  type WireError,
} from './errors.ts';
export { fileError } from './file-error.ts';
export { CHUNK_SIZE_BYTES, limits, PAGE_SIZE_BYTES } from './limits.ts';
export { type LogEntry, playLog, RelayLogger } from './log-relay.ts';
export { type LogFields, type Logger, noLogger } from './logger.ts';
export {
  type Counter,
  type Gauge,
  type Histogram,
  type Labels,
  type Meter,
  noMeter,
} from './meter.ts';
export { type MeterReport, playReport, RelayMeter } from './meter-relay.ts';
export { type Random, SeededRandom, systemRandom } from './random.ts';
export { Semaphore } from './semaphore.ts';
export { SharedSemaphore, type SharedSemaphoreOptions } from './shared-semaphore.ts';
export { SingleFlight } from './single-flight.ts';
export { undici } from './undici.ts';
export { formatBytes, formatMs, formatShare, GIB, KIB, MIB } from './units.ts';
export { VirtualClock } from './virtual-clock.ts';
export { WallSteps } from './wall-steps.ts';
export { WorkBudget, type WorkBudgetOptions } from './work-budget.ts';
