import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as prometheus from 'prom-client';
import { PrometheusMeter } from './prometheus-meter.ts';

const buckets = [0.1, 1, 30];
const linesOf = (text: string) => text.split('\n').filter((line) => line !== '');

test('prints what Prometheus’s own client prints of the same', async () => {
  const label = fc.oneof(
    fc.constantFrom('a"b', 'a\\b', 'a\nb', '\\n', '€'),
    fc.string({ minLength: 1 }),
  );
  const number = fc.oneof(
    fc.constantFrom(0, 0.1, 1, 1e21, 1e-7),
    // That client takes no infinite measure, and no sum of these becomes one.
    fc.double({ noNaN: true, min: 0, max: 1e300 }),
  );
  const measured = fc.array(fc.record({ value: number, l: label, m: label }), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(measured, label, async (all, help) => {
      const meter = new PrometheusMeter();
      const registers = [new prometheus.Registry()];
      const labelNames = ['l', 'm'];
      const own = {
        counter: meter.counter('c_total', help, labelNames),
        gauge: meter.gauge('g', help, labelNames),
        histogram: meter.histogram('h', help, buckets, labelNames),
        plain: meter.counter('p_total', help),
        level: meter.gauge('q', help),
        times: meter.histogram('r', help, buckets),
      };
      const theirs = {
        counter: new prometheus.Counter({ name: 'c_total', help, labelNames, registers }),
        gauge: new prometheus.Gauge({ name: 'g', help, labelNames, registers }),
        histogram: new prometheus.Histogram({ name: 'h', help, buckets, labelNames, registers }),
        plain: new prometheus.Counter({ name: 'p_total', help, registers }),
        level: new prometheus.Gauge({ name: 'q', help, registers }),
        times: new prometheus.Histogram({ name: 'r', help, buckets, registers }),
      };
      for (const { value, ...labels } of all) {
        own.counter.add(value, labels);
        theirs.counter.inc(labels, value);
        own.gauge.set(value, labels);
        theirs.gauge.set(labels, value);
        own.histogram.observe(value, labels);
        theirs.histogram.observe(labels, value);
        own.plain.add();
        theirs.plain.inc();
        own.level.set(value);
        theirs.level.set(value);
        own.times.observe(value);
        theirs.times.observe(value);
      }
      const [registry] = registers;
      assert.deepEqual(linesOf(await meter.text()), linesOf((await registry?.metrics()) ?? ''));
      assert.equal(meter.contentType, registry?.contentType);
    }),
    { numRuns: 200 },
  );
});

test('one name is one metric, whoever asks for it', async () => {
  const meter = new PrometheusMeter();
  meter.counter('c_total', 'Some.').add(1);
  meter.counter('c_total', 'Some.').add(2);
  assert.match(await meter.text(), /^c_total 3$/m);
});
