import type { Server, Socket } from 'node:net';
import { type Clock, limits, WorkBudget } from '../base/mod.ts';
import { discardBody } from './body.ts';
import { RuntimeConnections } from './connections.ts';
import type { RuntimeCall } from './wire/runtime-call.ts';
import { RuntimeConnection } from './wire/runtime-connection.ts';

/**
 * Lets a sandbox's requests through to its Runtime API: one at a time on each connection, and no
 * more than its budget allows. Who has used that up is answered later.
 */
export class RequestGate {
  readonly #connections: RuntimeConnections;
  readonly #handle: (call: RuntimeCall) => void;
  /** What the sandbox may still ask for. */
  readonly budget: WorkBudget;
  #isClosed = false;

  constructor(clock: Clock, handle: (call: RuntimeCall) => void) {
    const { workUnits: units, workUnitsPerSecond: unitsPerSecond } = limits.runtime;
    this.budget = new WorkBudget({ clock, units, unitsPerSecond });
    this.#connections = new RuntimeConnections(this.budget);
    this.#handle = handle;
  }

  /** Takes the connections of `server`, which listens inside the sandbox. */
  attach(server: Server): void {
    server.on('connection', (socket) => {
      if (this.#isClosed) socket.destroy();
      else this.#connections.admit(socket, () => this.#serve(socket));
    });
  }

  /** A request that costs: all but asking for events and answering them. */
  charge(): void {
    this.budget.spend(limits.runtime.requestUnits);
  }

  #serve(socket: Socket): void {
    const { budget } = this;
    new RuntimeConnection(socket, budget, (call) => {
      if (!budget.isSpent) this.#pass(call);
      else budget.whenLeft(() => this.#pass(call));
    });
  }

  #pass(call: RuntimeCall): void {
    if (call.isGone) return;
    if (call.method === 'GET' && !call.isWhole) discardBody(call, this.budget);
    this.#handle(call);
  }

  /** Drops every connection. */
  close(): void {
    this.#isClosed = true;
    this.#connections.destroy();
    this.budget.close();
  }
}
