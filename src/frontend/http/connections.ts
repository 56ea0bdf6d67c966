import type { Socket } from 'node:net';
import { limits } from '../../base/mod.ts';

/**
 * The listener's connections, so that none are wanting for those who can sign. What has not been
 * proved by a signed request gives way to what comes after it, the oldest first; and one account keeps so
 * many open between its requests.
 */
export class Connections {
  /** Oldest first. */
  readonly #unproven = new Set<Socket>();
  readonly #accountOf = new Map<Socket, string>();
  readonly #counts = new Map<string, number>();

  add(socket: Socket): void {
    this.#unproven.add(socket);
    socket.once('close', () => this.#remove(socket));
    if (this.#unproven.size <= limits.shares.unprovenConnections) return;
    const [oldest] = this.#unproven;
    oldest?.destroy();
  }

  /** False when the account has as many as it may keep: then this one ends with its answer. */
  prove(socket: Socket, accountId: string): boolean {
    const known = this.#accountOf.get(socket);
    if (known === accountId) return true;
    if (known !== undefined) this.#count(known, -1);
    this.#unproven.delete(socket);
    this.#accountOf.set(socket, accountId);
    this.#count(accountId, 1);
    return (this.#counts.get(accountId) ?? 0) <= limits.shares.connectionsPerAccount;
  }

  #remove(socket: Socket): void {
    this.#unproven.delete(socket);
    const accountId = this.#accountOf.get(socket);
    this.#accountOf.delete(socket);
    if (accountId !== undefined) this.#count(accountId, -1);
  }

  #count(accountId: string, change: number): void {
    const next = (this.#counts.get(accountId) ?? 0) + change;
    if (next === 0) this.#counts.delete(accountId);
    else this.#counts.set(accountId, next);
  }
}
