export { type CodeArchive, DirectoryCodeArchive, MemoryCodeArchive } from './code-archive.ts';
export type {
  EventSourceMappingRecord,
  EventSourceMappingStore,
  MappingFilter,
  MappingState,
} from './event-source-mapping-store.ts';
export {
  type LayerKey,
  type LayerStore,
  type LayerVersionRecord,
  SqliteLayerStore,
} from './layer-store.ts';
export { MemoryEventSourceMappings } from './memory/event-source-mappings.ts';
export { MemoryFunctionStore } from './memory/function-store.ts';
export * from './records.ts';
export { SqliteEventSourceMappings } from './sqlite/event-source-mappings.ts';
export { SqliteFunctionStore } from './sqlite/function-store.ts';
export type {
  AccountTotals,
  FunctionChange,
  FunctionKey,
  FunctionStore,
  UrlTarget,
} from './store.ts';
export {
  beginUpdate,
  concurrencyProvisioned,
  concurrencySetAside,
  fingerprint,
  installFailed,
  installSucceeded,
  newFunction,
  publish,
  publishWithWork,
  removeVersion,
  requireRevision,
  requireSettled,
  type Stamp,
  settlePublished,
  versionExists,
} from './transitions.ts';
