export { Frontend, type FrontendOptions } from './frontend.ts';
export type {
  CodeInstaller,
  Credential,
  CredentialStore,
  EventQueue,
  InstallRequest,
  InvokeOutcome,
  InvokeRequest,
  Invoker,
  QueuedEvent,
} from './seams.ts';
