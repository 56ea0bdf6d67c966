export { createLogger, type LogLevel } from './logger.ts';
export { PrometheusMeter } from './prometheus-meter.ts';
