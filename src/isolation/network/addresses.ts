import { SluiceError } from '../../base/mod.ts';

/** How a sandbox is reached in its region's network. */
export interface NetworkAddress {
  /** Of the sandbox; dotted, as the others. */
  readonly address: string;
  readonly netmask: string;
  /** The host's end of the network, which forwards. */
  readonly gateway: string;
}

/** A region has 1,024 addresses of the range that carriers use (RFC 6598), and nobody else. */
const PREFIX_BITS = 22;
const RANGE_START = dottedToNumber('100.64.0.0');
const RANGE_BLOCKS = 2 ** (PREFIX_BITS - 10);
const BLOCK_ADDRESSES = 2 ** (32 - PREFIX_BITS);

/** The addresses of one region's sandboxes, handed out once at a time. */
export class AddressBlock {
  /** `100.64.0.0/22`. */
  readonly subnet: string;
  readonly gateway: string;
  readonly #start: number;
  readonly #taken = new Set<number>();
  #last = 1;

  /** Block `index` of the range, which wraps. */
  constructor(index: number) {
    this.#start = RANGE_START + (index % RANGE_BLOCKS) * BLOCK_ADDRESSES;
    this.subnet = `${numberToDotted(this.#start)}/${PREFIX_BITS}`;
    this.gateway = numberToDotted(this.#start + 1);
  }

  get prefixBits(): number {
    return PREFIX_BITS;
  }

  /** Whether a route to `other` (`10.0.0.0/8`, or an address) leads where these addresses are. */
  overlaps(other: string): boolean {
    const [address = '', bits = '32'] = other.split('/');
    const sizeAddresses = 2 ** (32 - Number(bits));
    const start = Math.floor(dottedToNumber(address) / sizeAddresses) * sizeAddresses;
    return start < this.#start + BLOCK_ADDRESSES && this.#start < start + sizeAddresses;
  }

  /** An address that nobody has. One that was given back comes again as late as possible. */
  take(): NetworkAddress {
    const first = 2;
    const count = BLOCK_ADDRESSES - first - 1;
    for (let tried = 0; tried < count; tried++) {
      this.#last = this.#last + 1 < first + count ? this.#last + 1 : first;
      if (this.#taken.has(this.#last)) continue;
      this.#taken.add(this.#last);
      const address = numberToDotted(this.#start + this.#last);
      const netmask = numberToDotted(2 ** 32 - BLOCK_ADDRESSES);
      return { address, netmask, gateway: this.gateway };
    }
    throw new SluiceError('START_LIMIT_EXCEEDED', `${this.subnet}: every address is in use`, {
      data: { reason: 'ConcurrentInvocationLimitExceeded', limit: 'addresses' },
    });
  }

  giveBack({ address }: NetworkAddress): void {
    this.#taken.delete(dottedToNumber(address) - this.#start);
  }
}

function dottedToNumber(dotted: string): number {
  return dotted.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function numberToDotted(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}
