import type { Socket } from 'node:net';
import { limits } from '../base/mod.ts';

/** The open connections of one sandbox to its Runtime API; a bounded number. */
export class Connections {
  readonly #sockets = new Set<Socket>();

  /** Whether there is room for it; if not it is gone. */
  admit(socket: Socket): boolean {
    if (this.#sockets.size >= limits.runtime.connections) {
      socket.destroy();
      return false;
    }
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    // A sandbox may break its connections off as it likes.
    socket.on('error', () => socket.destroy());
    return true;
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
