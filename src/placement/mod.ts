export { PlacementService } from './service.ts';
