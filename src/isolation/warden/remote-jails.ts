import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import type { HelperSpawner } from '../jail/jails.ts';
import type { Helper } from '../jail/types.ts';
import type { WardenClient } from './client.ts';
import type { WordOf } from './messages.ts';

/** A helper that the warden started, as `ChildProcess` as those who work with helpers need it. */
class RemoteHelper extends EventEmitter {
  readonly stderr: PassThrough | null;
  pid: number | undefined;
  exitCode: number | null = null;
  signalCode: NodeJS.Signals | null = null;
  readonly #warden: WardenClient;
  readonly #of: number;

  constructor(warden: WardenClient, { stderr }: Helper) {
    super();
    this.#warden = warden;
    this.stderr = stderr === 'pipe' ? new PassThrough() : null;
    this.#of = warden.name((word) => this.#hear(word));
    const lose = () => this.#end(null, 'SIGKILL');
    warden.lost.addEventListener('abort', lose, { once: true });
    this.once('exit', () => warden.lost.removeEventListener('abort', lose));
  }

  get connected(): boolean {
    return this.exitCode === null && this.signalCode === null;
  }

  async start(helper: Helper): Promise<void> {
    try {
      const { value } = await this.#warden.ask({ type: 'spawn', of: this.#of, helper });
      this.pid = value as number;
    } catch (error) {
      this.#warden.forget(this.#of);
      throw error;
    }
  }

  send(message: unknown, sent: (error: Error | null) => void = () => {}): boolean {
    const said = this.#warden.ask({ type: 'tell', of: this.#of, message });
    said.then(
      () => sent(null),
      (error: Error) => sent(error),
    );
    return true;
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): boolean {
    if (this.connected) this.#warden.tell({ type: 'kill', of: this.#of, signal });
    return this.connected;
  }

  /** Has the warden hold its mount's doorbell. */
  async hold(): Promise<void> {
    await this.#warden.ask({ type: 'hold', of: this.#of });
  }

  #hear(word: WordOf): void {
    if (word.type === 'message') this.emit('message', word.message);
    else if (word.type === 'said') this.stderr?.write(word.bytes);
    else if (word.type === 'exit') this.#end(word.status, word.signal);
  }

  #end(status: number | null, signal: NodeJS.Signals | null): void {
    if (!this.connected) return;
    this.exitCode = status;
    this.signalCode = signal;
    this.#warden.forget(this.#of);
    this.stderr?.end();
    this.emit('exit', status, signal);
    this.emit('close', status, signal);
  }
}

/** Jails that the warden makes, for a region that may not. */
export class RemoteJails implements HelperSpawner {
  readonly jails = true;
  readonly #warden: WardenClient;

  constructor(warden: WardenClient) {
    this.#warden = warden;
  }

  async spawn(helper: Helper): Promise<ChildProcess> {
    const child = new RemoteHelper(this.#warden, helper);
    await child.start(helper);
    return child as unknown as ChildProcess;
  }

  /** The warden puts away what is its own when it ends. */
  async close(): Promise<void> {}
}
