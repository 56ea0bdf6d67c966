export { Frontend, type FrontendOptions } from './frontend.ts';
export type { QueuedInvokes, QueuedOutcome, QueuedPolicy } from './queued-invokes.ts';
export type {
  CodeInstaller,
  ConcurrencyAllowance,
  Credential,
  CredentialStore,
  EventQueue,
  InstallRequest,
  InvokeOutcome,
  InvokeRequest,
  Invoker,
  ProvisionedState,
  Provisioner,
  QueuedEvent,
  ResponseSink,
  ZipInstaller,
  ZipInstallRequest,
  ZipSupport,
} from './seams.ts';
