export { allowanceOf } from './allowance.ts';
export type { Catalogue } from './catalogue.ts';
export { FunctionCache } from './function-cache.ts';
export { type FunctionReference, functionArn, versionName } from './function-reference.ts';
export {
  type ProvisionedState,
  type Provisioner,
  provisionAll,
  provisionFunction,
} from './provisioning.ts';
export { servingVersion } from './serving-version.ts';
export {
  findFunction,
  findTarget,
  functionNotFound,
  pickVersion,
  type Target,
  versionNumber,
} from './targets.ts';
