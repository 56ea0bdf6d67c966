import type { Agent, Dispatcher } from 'undici';
import { limits, undici } from '../../base/mod.ts';

/** What a request to the URL goes through; throws where none may go. */
export type DispatcherFor = (url: URL) => Dispatcher;

/**
 * PEM of those who sign a host's certificate, by `host` or `host:port`; a host that is not named is
 * signed by those whom Node trusts.
 */
export type CertificateAuthorities = Readonly<Record<string, string>>;

type RegistryAgentOptions = Omit<Agent.Options, 'connect'> & {
  readonly connect: { readonly timeout: number };
};

/** How registries are connected to; for whoever makes the connections. */
export function registryAgent(authorities: CertificateAuthorities = {}): RegistryAgentOptions {
  return {
    connect: { timeout: limits.registry.connectTimeoutMs },
    headersTimeout: limits.registry.headersTimeoutMs,
    bodyTimeout: limits.registry.bodyTimeoutMs,
    factory: (origin, options: Agent.Options) => {
      const { host, hostname } = new URL(origin);
      const ca = authorities[host] ?? authorities[hostname];
      const { Pool } = undici();
      if (ca === undefined) return new Pool(origin, options);
      return new Pool(origin, { ...options, connect: { ...options.connect, ca } });
    },
  };
}

export interface ConnectionSettings {
  /** What connections to registries, and to where they point, go through. */
  readonly dispatcherFor?: DispatcherFor;
  /** Of connections that go through no `dispatcherFor`. */
  readonly certificateAuthorities?: CertificateAuthorities;
}

/** All connections that reading from registries makes, whoever decides about them. */
export class RegistryConnections {
  #agent: Agent | undefined;
  readonly of: DispatcherFor;

  constructor({ dispatcherFor, certificateAuthorities }: ConnectionSettings) {
    const own = () => {
      this.#agent ??= new (undici().Agent)(registryAgent(certificateAuthorities));
      return this.#agent;
    };
    this.of = dispatcherFor ?? own;
  }

  async close(): Promise<void> {
    await this.#agent?.destroy();
  }
}
