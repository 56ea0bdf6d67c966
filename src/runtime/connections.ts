import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { limits, type WorkBudget } from '../base/mod.ts';

const { connectionUnits, pipelinedUnits } = limits.runtime;

/**
 * The open connections of one sandbox to its Runtime API: a bounded number, and one request at a
 * time on each.
 */
export class RuntimeConnections {
  readonly #budget: WorkBudget;
  readonly #sockets = new Set<Socket>();
  /** The answer to each connection's last request. */
  readonly #answers = new WeakMap<Socket, ServerResponse>();

  constructor(budget: WorkBudget) {
    this.#budget = budget;
  }

  /**
   * Serves a connection as soon as the budget allows: nothing that it sends is looked at before. If
   * there is no room for it, it is gone.
   */
  admit(socket: Socket, serve: () => void): void {
    this.#budget.spend(connectionUnits);
    if (this.#sockets.size >= limits.runtime.connections) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    // A sandbox may break its connections off as it likes.
    socket.on('error', () => socket.destroy());
    if (!this.#budget.isSpent) serve();
    else {
      this.#budget.whenLeft(() => {
        if (!socket.destroyed) serve();
      });
    }
  }

  /**
   * Whether a request came after the last one's answer. Node reads all that a connection has sent
   * at once, however much that is: one that sends ahead is broken off, and the sandbox waits for it.
   */
  isNext({ socket }: IncomingMessage, response: ServerResponse): boolean {
    if (socket.destroyed) return false;
    const last = this.#answers.get(socket);
    if (last !== undefined && !last.writableFinished) {
      this.#budget.spend(pipelinedUnits);
      socket.destroy();
      return false;
    }
    this.#answers.set(socket, response);
    return true;
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
