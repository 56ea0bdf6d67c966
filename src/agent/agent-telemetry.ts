import type { ChildProcess } from 'node:child_process';
import {
  type Clock,
  type LogEntry,
  type Logger,
  limits,
  type Meter,
  type MeterReport,
  playLog,
  playReport,
  RelayLogger,
  RelayMeter,
} from '../base/mod.ts';

/** What an agent tells its worker unasked, beside the answers to its commands. */
interface TelemetryMessage {
  readonly type: 'telemetry';
  readonly metrics?: MeterReport | undefined;
  readonly log: readonly LogEntry[];
  /** Lines of a trace of chunk loads. */
  readonly loads: string;
}

/** The agent's end: collects, and reports what is new every `limits.relay.everyMs`. */
export class AgentTelemetry {
  readonly meter = new RelayMeter();
  readonly logger = new RelayLogger();
  #loads: string[] = [];

  /** Notes a line of the trace; what is too much for one report is left out of it. */
  readonly traceLoad = (line: string): void => {
    if (this.#loads.length < limits.relay.traceLoads) this.#loads.push(line);
  };

  /** The next report waits until the one before is on its way, so that none pile up. */
  report(clock: Clock, send: (message: TelemetryMessage, sent: () => void) => void): void {
    clock.setTimer(limits.relay.everyMs, () => {
      const again = () => this.report(clock, send);
      const message = this.#take();
      if (message) send(message, again);
      else again();
    });
  }

  #take(): TelemetryMessage | undefined {
    const metrics = this.meter.take();
    const log = this.logger.take();
    const loads = this.#loads.join('');
    this.#loads = [];
    if (!metrics && log.length === 0 && loads === '') return undefined;
    return { type: 'telemetry', metrics, log, loads };
  }
}

export interface TelemetrySinks {
  readonly meter: Meter;
  readonly logger: Logger;
  readonly traceLoads: (lines: string) => void;
}

/** The worker's end: counts and logs what the agent reports as its own. Answers the agent. */
export function hearTelemetry(agent: ChildProcess, sinks: TelemetrySinks): ChildProcess {
  return agent.on('message', (message) => {
    const { type, metrics, log, loads } = message as TelemetryMessage;
    if (type !== 'telemetry') return;
    if (metrics) playReport(metrics, sinks.meter);
    playLog(log, sinks.logger, { agent: agent.pid });
    if (loads !== '') sinks.traceLoads(loads);
  });
}
