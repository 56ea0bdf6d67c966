import { limits, SluiceError } from '../base/mod.ts';
import type { AsyncEvent, EventProgress } from './types.ts';

/** Whose an event is, and how much of the queue's disk it takes. */
export interface EventSize {
  readonly accountId: string;
  readonly functionName: string;
  readonly bytes: number;
}

export function sizeOf(event: AsyncEvent & Pick<EventProgress, 'lastAnswer'>): EventSize {
  const { accountId, functionName, payload, lastAnswer } = event;
  return { accountId, functionName, bytes: payload.length + (lastAnswer?.payload.length ?? 0) };
}

/** Payloads and answers that the queue holds, in bytes: of all, of each account and of each function. */
export class EventBytes {
  readonly #most: number;
  readonly #held = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Throws `OVERLOADED` unless all three have room: nobody's large events take the disk. */
  requireRoom(event: EventSize): void {
    for (const [key, most, whose] of this.#sharesOf(event)) {
      if ((this.#held.get(key) ?? 0) + event.bytes <= most) continue;
      const what = `${event.functionName}: the events of ${whose} hold their limit of ${most} bytes`;
      throw new SluiceError('OVERLOADED', what);
    }
  }

  add(event: EventSize): void {
    for (const [key] of this.#sharesOf(event)) {
      this.#held.set(key, (this.#held.get(key) ?? 0) + event.bytes);
    }
  }

  remove(event: EventSize): void {
    for (const [key] of this.#sharesOf(event)) {
      const left = (this.#held.get(key) ?? 0) - event.bytes;
      if (left <= 0) this.#held.delete(key);
      else this.#held.set(key, left);
    }
  }

  clear(): void {
    this.#held.clear();
  }

  #sharesOf({ accountId, functionName }: EventSize): [string, number, string][] {
    const { bytesPartPerAccount, bytesPartPerFunction } = limits.queue;
    return [
      ['', this.#most, 'the region'],
      [accountId, this.#most * bytesPartPerAccount, 'the account'],
      [`${accountId}/${functionName}`, this.#most * bytesPartPerFunction, 'the function'],
    ];
  }
}
