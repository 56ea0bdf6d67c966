export { closedIpv4Ranges, closedIpv6Ranges, nearRanges } from './closed-ranges.ts';
export { guardRefusal, OutboundGuard } from './outbound-guard.ts';
export { isRange, OutboundRules, type OutboundSettings } from './outbound-rules.ts';
