import { limits } from '../base/mod.ts';

export type ExtensionEventType = 'INVOKE' | 'SHUTDOWN';

export interface Extension {
  readonly identifier: string;
  readonly name: string;
  /** A process of its own; else a part of the runtime's. */
  readonly external: boolean;
  readonly events: ReadonlySet<ExtensionEventType>;
  /** `ready` once it has asked for its next event, until it is given one. */
  phase: 'registered' | 'ready' | 'running' | 'failed';
}

export interface ExtensionRefusal {
  readonly status: number;
  readonly errorType: string;
  readonly message: string;
}

const refusal = (errorType: string, message: string, status = 403): ExtensionRefusal => ({
  status,
  errorType: `Extension.${errorType}`,
  message,
});

const known: ReadonlySet<string> = new Set<ExtensionEventType>(['INVOKE', 'SHUTDOWN']);

/**
 * The extensions of one sandbox and how far each has come (contract 2.7). Registration is open
 * until the runtime first asks for an event.
 */
export class ExtensionBook {
  readonly #extensions = new Map<string, Extension>();
  /** External ones that run and have not registered. */
  readonly #awaited: Set<string>;
  readonly #external: ReadonlySet<string>;
  #open = true;

  constructor(external: readonly string[]) {
    this.#external = new Set(external);
    this.#awaited = new Set(external);
  }

  closeRegistration(): void {
    this.#open = false;
  }

  get size(): number {
    return this.#extensions.size;
  }

  get allRegistered(): boolean {
    return this.#awaited.size === 0;
  }

  /** Every extension has asked for its next event: what makes init over, and an invoke too. */
  get allReady(): boolean {
    if (!this.allRegistered) return false;
    for (const { phase } of this.#extensions.values()) {
      if (phase === 'registered' || phase === 'running') return false;
    }
    return true;
  }

  register(
    identifier: string,
    name: string | undefined,
    events: unknown,
  ): Extension | ExtensionRefusal {
    if (name === undefined || name === '') {
      return refusal('InvalidExtensionName', 'Empty extension name');
    }
    if (!this.#open) return refusal('RegistrationClosed', 'Extension registration closed already');
    if (this.#extensions.size >= limits.runtime.extensions) {
      const message = `Extension limit (${limits.runtime.extensions}) reached`;
      return refusal('TooManyExtensions', message);
    }
    for (const extension of this.#extensions.values()) {
      if (extension.name !== name) continue;
      return refusal('InvalidExtensionState', `Extension ${name} is registered already`);
    }
    if (!Array.isArray(events)) return invalidRequest;
    const wrong = events.find((event) => typeof event !== 'string' || !known.has(event));
    if (wrong !== undefined) {
      return refusal('InvalidEventType', `Invalid event type: ${String(wrong)}`);
    }
    const external = this.#external.has(name);
    if (!external && events.includes('SHUTDOWN')) {
      return refusal(
        'InvalidEventType',
        'SHUTDOWN is only for extensions with a process of their own',
      );
    }
    this.#awaited.delete(name);
    const extension: Extension = {
      identifier,
      name,
      external,
      events: new Set(events as ExtensionEventType[]),
      phase: 'registered',
    };
    this.#extensions.set(identifier, extension);
    return extension;
  }

  find(identifier: string | undefined): Extension | ExtensionRefusal {
    if (identifier === undefined) {
      return refusal('MissingExtensionIdentifier', 'Missing Lambda-Extension-Identifier header');
    }
    const extension = this.#extensions.get(identifier);
    return extension ?? refusal('UnknownExtensionIdentifier', `Unknown extension ${identifier}`);
  }

  /** The extension asks for its next event; it may wait. */
  asks(extension: Extension): ExtensionRefusal | undefined {
    if (extension.phase === 'ready' || extension.phase === 'failed') {
      return refusal('InvalidExtensionState', `${extension.name} may not ask for an event now`);
    }
    extension.phase = 'ready';
    return undefined;
  }

  /** Those that wait and want such an event; they are busy with it from now on. */
  give(type: ExtensionEventType): Extension[] {
    const takers = [...this.#extensions.values()].filter(
      ({ phase, events }) => phase === 'ready' && events.has(type),
    );
    for (const extension of takers) extension.phase = 'running';
    return takers;
  }

  /** The names of all that want such an event, busy or not. */
  takers(type: ExtensionEventType): string[] {
    const wanting = [...this.#extensions.values()].filter(({ events }) => events.has(type));
    return wanting.map(({ name }) => name);
  }
}

const invalidRequest: ExtensionRefusal = {
  status: 400,
  errorType: 'InvalidRequestFormat',
  message: 'The request body is not {"events":[…]}',
};

export function isRefusal(value: Extension | ExtensionRefusal): value is ExtensionRefusal {
  return 'status' in value;
}
