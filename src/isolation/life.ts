import type { ExtensionExit, SandboxEvent, SandboxExit } from './provider.ts';

/** A sandbox's life for an owner that waits for parts of it; `onEvent` takes the events. */
export class SandboxLife {
  readonly #exited = Promise.withResolvers<SandboxExit>();
  readonly #stopped = Promise.withResolvers<void>();
  readonly #extensions = new Map<string, PromiseWithResolvers<ExtensionExit>>();
  /** Never rejects. */
  readonly exited: Promise<SandboxExit> = this.#exited.promise;
  /** Never rejects. */
  readonly stopped: Promise<void> = this.#stopped.promise;

  /** How a program of `/opt/extensions` ended. Never rejects. */
  extensionExited(name: string): Promise<ExtensionExit> {
    return this.#extension(name).promise;
  }

  readonly onEvent = (event: SandboxEvent): void => {
    switch (event.kind) {
      case 'extension-exited':
        this.#extension(event.name).resolve(event.exit);
        return;
      case 'exited':
        this.#exited.resolve(event.exit);
        return;
      case 'stopped':
        this.#stopped.resolve();
    }
  };

  #extension(name: string): PromiseWithResolvers<ExtensionExit> {
    const known = this.#extensions.get(name);
    if (known) return known;
    const made = Promise.withResolvers<ExtensionExit>();
    this.#extensions.set(name, made);
    return made;
  }
}
