export { type PlacementOptions, PlacementService, type StandingReport } from './service.ts';
export type { PlacementLimits } from './state.ts';
