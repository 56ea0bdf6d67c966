export { Frontend, type FrontendOptions } from './frontend.ts';
export type { IdentityPolicy, IdentityStatement } from './policies/identity-policy.ts';
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
} from './seams.ts';
