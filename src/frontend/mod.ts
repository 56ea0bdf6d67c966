export { Frontend, type FrontendOptions } from './frontend.ts';
export type {
  MappedFunction,
  QueuedInvokes,
  QueuedOutcome,
  QueuedPolicy,
} from './queued-invokes.ts';
export type {
  CodeInstaller,
  CodeObjects,
  ConcurrencyAllowance,
  Credential,
  CredentialStore,
  EventQueue,
  EventSourceSupport,
  InstallRequest,
  InvokeOutcome,
  InvokeRequest,
  Invoker,
  ProvisionedState,
  Provisioner,
  QueueDirectory,
  QueuedEvent,
  ResponseSink,
  ZipInstaller,
  ZipInstallRequest,
  ZipSupport,
} from './seams.ts';
