export { Frontend } from './frontend.ts';
export { MetricsListener } from './metrics-listener.ts';
