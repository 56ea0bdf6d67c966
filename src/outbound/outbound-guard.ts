import { type LookupAddress, type LookupOptions, lookup } from 'node:dns';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Agent } from 'undici';
import { isSluiceError, SluiceError, undici } from '../base/mod.ts';
import { OutboundRules, type OutboundSettings, plainAddress } from './outbound-rules.ts';

/** As `dns.lookup` answers when all addresses are asked for. */
export type ResolveName = (
  hostname: string,
  options: LookupOptions & { all: true },
  answer: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface OutboundGuardOptions extends OutboundSettings {
  /** How connections are made and kept, without `connect.lookup`, which is the guard's. */
  readonly agent: Omit<Agent.Options, 'connect'> & { readonly connect?: { timeout?: number } };
  readonly resolve?: ResolveName;
  /** This host's addresses, asked for at each connection; those of its interfaces if absent. */
  readonly ownAddresses?: () => readonly string[];
}

const interfaceAddresses = () =>
  Object.values(networkInterfaces()).flatMap((each) => each?.map(({ address }) => address) ?? []);

/**
 * The one way out for what a tenant's request makes this host fetch or send. A name is judged by
 * the address that is then connected to, so one that resolves otherwise the second time gains
 * nothing. Plain HTTP leads only to what the operator has opened.
 */
export class OutboundGuard {
  readonly #rules: OutboundRules;
  readonly #ownAddresses: () => readonly string[];
  readonly #options: OutboundGuardOptions;
  #guarded: Agent | undefined;
  #named: Agent | undefined;

  constructor(options: OutboundGuardOptions) {
    this.#options = options;
    this.#rules = new OutboundRules(options);
    this.#ownAddresses = options.ownAddresses ?? interfaceAddresses;
  }

  #makeGuarded(): Agent {
    const { agent, resolve = lookup } = this.#options;
    return new (undici().Agent)({
      ...agent,
      connect: {
        ...agent.connect,
        lookup: (hostname, lookupOptions, answer) =>
          resolve(hostname, { ...lookupOptions, all: true }, (error, addresses) => {
            if (error) return answer(error, []);
            const own = this.#own();
            const reachable = addresses.filter(({ address }) =>
              this.#rules.isReachable(address, own),
            );
            const [first] = reachable;
            if (!first) return answer(refused(hostname) as Error, []);
            return lookupOptions.all
              ? answer(null, reachable)
              : answer(null, first.address, first.family);
          }),
      },
    });
  }

  /** What connects to the URL. Throws `ACCESS_DENIED`; so may what it answers, as a cause. */
  agentFor(url: URL): Agent {
    const host = url.hostname.replace(/^\[|\]$|\.$/g, '').toLowerCase();
    if (this.#rules.isDenied(host)) throw refused(host);
    if (this.#rules.isNamed(host)) {
      this.#named ??= new (undici().Agent)(this.#options.agent);
      return this.#named;
    }
    const isAddress = isIP(host) !== 0;
    const isOpened = isAddress && this.#rules.isOpened(host);
    if (url.protocol !== 'https:' && !isOpened) throw refused(host);
    // An address goes to the socket without a lookup.
    if (isAddress && !this.#rules.isReachable(host, this.#own())) throw refused(host);
    this.#guarded ??= this.#makeGuarded();
    return this.#guarded;
  }

  async close(): Promise<void> {
    await Promise.all([this.#guarded?.destroy(), this.#named?.destroy()]);
  }

  #own(): ReadonlySet<string> {
    return new Set(this.#ownAddresses().map(plainAddress));
  }
}

function refused(host: string): SluiceError {
  return new SluiceError(
    'ACCESS_DENIED',
    `${host}: not for this account; the operator may allow it with outbound.allow`,
    { data: { host } },
  );
}

/** What the guard said comes wrapped by the connection that it refused. */
export function guardRefusal(error: unknown): SluiceError | undefined {
  const causes = [error, error instanceof Error ? error.cause : undefined];
  return causes.find((each): each is SluiceError => isSluiceError(each, 'ACCESS_DENIED'));
}
