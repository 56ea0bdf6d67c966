import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Server as NetServer } from 'node:net';
import { type Clock, limits, WorkBudget } from '../base/mod.ts';
import { discardBody, hasBody } from './body.ts';
import { RuntimeConnections } from './connections.ts';

/**
 * Lets a sandbox's requests through to its Runtime API: one at a time on each connection, and no
 * more than its budget allows. Who has used that up is answered later.
 */
export class RequestGate {
  readonly #http: Server;
  readonly #connections: RuntimeConnections;
  /** What the sandbox may still ask for. */
  readonly budget: WorkBudget;
  #isClosed = false;

  constructor(clock: Clock, handle: (request: IncomingMessage, response: ServerResponse) => void) {
    const { workUnits: units, workUnitsPerSecond: unitsPerSecond } = limits.runtime;
    const budget = new WorkBudget({ clock, units, unitsPerSecond });
    this.budget = budget;
    this.#connections = new RuntimeConnections(budget);
    // A handler may think for minutes between two requests of one connection, so none times out.
    this.#http = createServer({ keepAliveTimeout: 0, requestTimeout: 0, noDelay: true });
    this.#http.headersTimeout = 0;
    const pass = (request: IncomingMessage, response: ServerResponse) => {
      if (request.socket.destroyed) return;
      response.sendDate = false;
      if (request.method === 'GET' && hasBody(request)) discardBody(request, budget);
      handle(request, response);
    };
    this.#http.on('request', (request, response) => {
      if (!this.#connections.isNext(request, response)) return;
      if (!budget.isSpent) pass(request, response);
      else budget.whenLeft(() => pass(request, response));
    });
  }

  /** Takes the connections of `server`, which listens inside the sandbox. */
  attach(server: NetServer): void {
    server.on('connection', (socket) => {
      if (this.#isClosed) socket.destroy();
      else this.#connections.admit(socket, () => this.#http.emit('connection', socket));
    });
  }

  /** A request that costs: all but asking for events and answering them. */
  charge(): void {
    this.budget.spend(limits.runtime.requestUnits);
  }

  /** Drops every connection. */
  close(): void {
    this.#isClosed = true;
    this.#connections.destroy();
    this.budget.close();
  }
}
