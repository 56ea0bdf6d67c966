export { type CodeArchive, DirectoryCodeArchive, MemoryCodeArchive } from './code-archive.ts';
export type {
  EventSourceMappingRecord,
  EventSourceMappingStore,
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
export {
  publish,
  publishWithWork,
  removeVersion,
  settlePublished,
  versionExists,
} from './published-versions.ts';
export * from './records.ts';
export { SqliteEventSourceMappings } from './sqlite/event-source-mappings.ts';
export { SqliteFunctionStore } from './sqlite/function-store.ts';
export type {
  AccountTotals,
  FunctionChange,
  FunctionKey,
  FunctionStore,
} from './store.ts';
export {
  beginUpdate,
  concurrencyProvisioned,
  concurrencySetAside,
  installFailed,
  installSucceeded,
  newFunction,
  requireRevision,
  type Stamp,
} from './transitions.ts';
