import { SluiceError } from '../../base/mod.ts';
import type { WardenOrder, WardenWord, WordOf } from './messages.ts';

interface Waiting {
  readonly resolve: (answer: Answered) => void;
  readonly reject: (error: unknown) => void;
}

/** What was answered, and the socket beside it. */
export interface Answered {
  readonly value: unknown;
  readonly handle: unknown;
}

/** The part of `process` by which a child speaks with its parent. */
export type WardenChannel = Pick<NodeJS.Process, 'send' | 'on' | 'disconnect' | 'connected'>;

/**
 * A region's end of the channel to its warden, which has the privileges that it gave up. Nothing of
 * an invoke goes this way: only what starts and ends helpers and sandboxes, and what helpers say.
 */
export class WardenClient {
  readonly #channel: WardenChannel;
  readonly #waiting = new Map<number, Waiting>();
  readonly #hearers = new Map<number, (word: WordOf) => void>();
  readonly #lost = new AbortController();
  #nextId = 1;

  constructor(channel: WardenChannel) {
    this.#channel = channel;
    channel.on('message', (word, handle) => this.#hear(word as WardenWord, handle));
    channel.on('disconnect', () => this.#lose());
  }

  /** Aborted when the warden is gone, with `HOST_LACKS` as its reason. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** A number for a helper or sandbox, whose words go to `hear` until `forget`. */
  name(hear: (word: WordOf) => void): number {
    const of = this.#nextId++;
    this.#hearers.set(of, hear);
    return of;
  }

  forget(of: number): void {
    this.#hearers.delete(of);
  }

  /** Rejects with the warden's error, or `HOST_LACKS` when it is gone. */
  ask(order: WardenOrder): Promise<Answered> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.#lost.signal.aborted) return reject(this.#lost.signal.reason);
      this.#waiting.set(id, { resolve, reject });
      this.#channel.send?.({ ...order, id });
    });
  }

  /** An order that nobody waits for. */
  tell(order: WardenOrder): void {
    this.ask(order).catch(() => {});
  }

  /** Lets the warden put away what is its own, and go. */
  async end(): Promise<void> {
    await this.ask({ type: 'end' });
    if (this.#channel.connected) this.#channel.disconnect();
  }

  #hear(word: WardenWord, handle: unknown): void {
    if (word.type !== 'answer' && word.type !== 'refusal') {
      this.#hearers.get(word.of)?.(word);
      return;
    }
    const waiting = this.#waiting.get(word.id);
    this.#waiting.delete(word.id);
    if (word.type === 'answer') waiting?.resolve({ value: word.value, handle });
    else waiting?.reject(SluiceError.of(word.error));
  }

  #lose(): void {
    const error = new SluiceError('HOST_LACKS', 'warden: the process with the privileges is gone');
    this.#lost.abort(error);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
