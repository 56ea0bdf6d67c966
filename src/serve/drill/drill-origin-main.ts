import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BoundedQueue, isSluiceError, limits, systemClock } from '../../base/mod.ts';
import type { OriginCommand, OriginReady, OriginReport } from './drill-messages.ts';
import { drillChunk, drillNames } from './drill-plan.ts';

const REPORT_MS = 1000;

/** A store of chunks that serves a few requests at once, each for a while; the rest stand in line. */
class DrillOrigin {
  readonly #chunks: ReadonlyMap<string, Buffer>;
  readonly #line = new BoundedQueue<{ response: ServerResponse; chunk: Buffer }>(
    limits.drill.originWaiting,
  );
  #speed: OriginCommand = { latencyMs: 0, parallel: 1 };
  #busy = 0;
  #gets = 0;
  #bytes = 0;
  #waiting = 0;

  constructor(functions: number) {
    const names = [...drillNames(functions)];
    this.#chunks = new Map(names.map(([number, name]) => [name, drillChunk(number)]));
  }

  async serve(): Promise<number> {
    const server = createServer((request, response) => this.#take(request.url ?? '', response));
    server.maxRequestsPerSocket = 0;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  set speed(speed: OriginCommand) {
    this.#speed = speed;
    this.#work();
  }

  /** What was seen since the last call. */
  take(): OriginReport {
    const report = { gets: this.#gets, bytes: this.#bytes, waiting: this.#waiting };
    this.#gets = 0;
    this.#bytes = 0;
    this.#waiting = this.#line.length;
    return { type: 'second', ...report };
  }

  #take(url: string, response: ServerResponse): void {
    const chunk = this.#chunks.get(url.slice(1));
    if (!chunk) {
      response.writeHead(404).end();
      return;
    }
    try {
      this.#line.push({ response, chunk });
    } catch (error) {
      if (!isSluiceError(error, 'OVERLOADED')) throw error;
      response.writeHead(503).end();
      return;
    }
    this.#work();
    this.#waiting = Math.max(this.#waiting, this.#line.length);
  }

  #work(): void {
    while (this.#busy < this.#speed.parallel) {
      const next = this.#line.shift();
      if (!next) return;
      this.#busy++;
      systemClock.setTimer(this.#speed.latencyMs, () => {
        this.#busy--;
        this.#gets++;
        this.#bytes += next.chunk.length;
        next.response.end(next.chunk);
        this.#work();
      });
    }
  }
}

const origin = new DrillOrigin(Number(process.argv[2]));
const ready: OriginReady = { type: 'ready', port: await origin.serve() };
process.send?.(ready);
process.on('message', (command: OriginCommand) => {
  origin.speed = command;
});
process.on('disconnect', () => process.exit());

function report(): void {
  process.send?.(origin.take());
  systemClock.setTimer(REPORT_MS, report);
}
report();
