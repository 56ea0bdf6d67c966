import type { SandboxEvent } from '../provider.ts';

/** Keeps the events of a sandbox's life until its start has succeeded, then passes them on. */
export class LifeGate {
  readonly #onEvent: (event: SandboxEvent) => void;
  #kept: SandboxEvent[] | undefined = [];

  constructor(onEvent: (event: SandboxEvent) => void) {
    this.#onEvent = onEvent;
  }

  tell(event: SandboxEvent): void {
    if (this.#kept) this.#kept.push(event);
    else this.#onEvent(event);
  }

  open(): void {
    const kept = this.#kept ?? [];
    this.#kept = undefined;
    for (const event of kept) this.#onEvent(event);
  }
}
