import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Logger,
  limits,
  type Meter,
  playLog,
  playReport,
  RelayLogger,
  RelayMeter,
  SluiceError,
} from '../base/mod.ts';
import { PrometheusMeter } from './prometheus-meter.ts';

interface Measured {
  readonly outcome: string;
  readonly value: number;
}

function measure(meter: Meter, all: readonly Measured[]): void {
  const counter = meter.counter('c_total', 'A counter.', ['outcome']);
  const histogram = meter.histogram('h_seconds', 'A histogram.', [0.1, 0.3, 1], ['outcome']);
  for (const { outcome, value } of all) {
    counter.add(value, { outcome });
    histogram.observe(value, { outcome });
  }
}

/** Sums come out of another order of additions: equal but for rounding. */
async function samples(meter: PrometheusMeter): Promise<Map<string, number>> {
  const lines = (await meter.text()).split('\n').filter((line) => line && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

test('what was relayed in reports reads as if it had been measured in place', async () => {
  const measured = fc.record({
    outcome: fc.constantFrom('hit', 'miss'),
    value: fc.oneof(fc.constantFrom(0.1, 0.3, 1), fc.double({ min: 0, max: 3, noNaN: true })),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(measured)), async (reports) => {
      const [direct, relayed, relay] = [
        new PrometheusMeter(),
        new PrometheusMeter(),
        new RelayMeter(),
      ];
      for (const report of reports) {
        measure(direct, report);
        measure(relay, report);
        const taken = relay.take();
        assert.equal(taken === undefined, report.length === 0);
        if (taken) playReport(structuredClone(taken), relayed);
      }
      measure(direct, []);
      measure(relayed, []);
      const [expected, found] = [await samples(direct), await samples(relayed)];
      assert.deepEqual([...found.keys()].sort(), [...expected.keys()].sort());
      for (const [name, value] of expected) {
        const difference = Math.abs((found.get(name) ?? 0) - value);
        assert.ok(name.includes('_bucket') ? difference === 0 : difference < 1e-6, name);
      }
    }),
    { numRuns: 100 },
  );
});

test('a report has no more series than its limit', () => {
  const relay = new RelayMeter();
  const counter = relay.counter('c_total', 'A counter.', ['name']);
  for (let i = 0; i < limits.relay.series + 10; i++) counter.add(1, { name: String(i) });
  assert.equal(relay.take()?.length, limits.relay.series);
  assert.equal(relay.take(), undefined);
});

test('log lines keep level, fields and errors, and say how many found no room', () => {
  const relay = new RelayLogger();
  const error = new SluiceError('CHUNK_CORRUPT', 'x: bad');
  for (let i = 0; i < limits.relay.logLines + 3; i++) relay.warn({ i, error }, 'it happened');
  const lines: unknown[] = [];
  const note = (level: string) => (fields: object, message: string) => {
    lines.push({ level, ...fields, message });
  };
  const logger = Object.fromEntries(
    ['debug', 'info', 'warn', 'error'].map((level) => [level, note(level)]),
  ) as unknown as Logger;
  playLog(structuredClone(relay.take()), logger, { agent: 7 });
  assert.deepEqual(lines[0], {
    ...{ level: 'warn', i: 0, error: { code: 'CHUNK_CORRUPT', data: {}, message: 'x: bad' } },
    ...{ agent: 7, message: 'it happened' },
  });
  assert.equal(lines.length, limits.relay.logLines + 1);
  assert.equal((lines.at(-1) as { dropped: number }).dropped, 3);
  assert.deepEqual(relay.take(), []);
});
