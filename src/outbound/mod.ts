export { closedIpv4Ranges } from './closed-ranges.ts';
export { guardRefusal, OutboundGuard } from './outbound-guard.ts';
export { isRange, type OutboundSettings } from './outbound-rules.ts';
