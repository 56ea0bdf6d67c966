import type { Socket } from 'node:net';
import { limits, type WorkBudget } from '../base/mod.ts';

const { connectionUnits } = limits.runtime;

/** The open connections of one sandbox to its Runtime API: a bounded number. */
export class RuntimeConnections {
  readonly #budget: WorkBudget;
  readonly #sockets = new Set<Socket>();

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

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
