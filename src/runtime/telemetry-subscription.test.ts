import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, VirtualClock } from '../base/mod.ts';
import { parseTelemetryRequest, type TelemetryFlavour } from './telemetry-request.ts';
import { TelemetrySubscription } from './telemetry-subscription.ts';

const URI = 'http://sandbox.localdomain:8080/logs?a=1';
const asked = {
  types: ['platform', 'function'],
  buffering: { maxItems: 1000, maxBytes: 262_144, timeoutMs: 100 },
  destination: { protocol: 'HTTP', URI },
};
const parse = (body: unknown, flavour: TelemetryFlavour = 'telemetry') =>
  parseTelemetryRequest(flavour, Buffer.from(JSON.stringify(body)));

const turn = () => new Promise((resolve) => setImmediate(resolve));

function bench(flavour: TelemetryFlavour = 'telemetry') {
  const request = parse(asked, flavour);
  assert.ok(!('problem' in request));
  const clock = new VirtualClock();
  const batches: { type: string; record: unknown }[][] = [];
  let answer: () => Promise<boolean> = async () => true;
  const receiver = {
    send: (body: Buffer) => {
      batches.push(JSON.parse(body.toString()));
      return answer();
    },
    close: () => {},
  };
  const subscription = new TelemetrySubscription({ request, flavour, receiver, clock });
  const push = (type: string, record: unknown = {}) =>
    subscription.push({ time: 't', type, record });
  const types = () => batches.map((batch) => batch.map(({ type }) => type));
  const answers = (next: () => Promise<boolean>) => {
    answer = next;
  };
  return { clock, batches, subscription, push, types, answers };
}

test('takes what the contract allows, and says what is wrong with the rest', () => {
  assert.deepEqual(parse(asked), {
    types: ['platform', 'function'],
    ...asked.buffering,
    port: 8080,
    path: '/logs?a=1',
  });
  const { buffering: _, ...unbuffered } = asked;
  const defaults = { maxItems: 10_000, maxBytes: 262_144, timeoutMs: 1000 };
  assert.deepEqual(parse(unbuffered), {
    types: ['platform', 'function'],
    ...defaults,
    port: 8080,
    path: '/logs?a=1',
  });
  const wrong = [
    {},
    { ...asked, types: [] },
    { ...asked, types: ['weather'] },
    { ...asked, schemaVersion: '1999-01-01' },
    { ...asked, buffering: { ...asked.buffering, maxItems: 1 } },
    { ...asked, buffering: { ...asked.buffering, timeoutMs: 60_000 } },
    { ...asked, destination: { protocol: 'TCP', URI } },
    { ...asked, destination: { protocol: 'HTTP', URI: 'http://192.0.2.1:80/' } },
    { ...asked, destination: { protocol: 'HTTP', URI: 'file:///etc/passwd' } },
  ];
  for (const body of wrong) assert.ok('problem' in parse(body), JSON.stringify(body));
});

test('a batch goes when it is old enough, or full', async () => {
  const { clock, push, types, batches } = bench();
  push('platform.start');
  push('extension');
  push('platform.end');
  push('function', 'hello');
  clock.jump(99);
  await turn();
  assert.deepEqual(types(), []);
  clock.jump(1);
  await turn();
  assert.deepEqual(types(), [['platform.start', 'function']]);
  for (let n = 0; n < 1001; n++) push('function', n);
  await turn();
  assert.equal(batches[1]?.length, 1000);
});

test('the Logs API has no init events, and uses its own names', async () => {
  const { subscription, push, types } = bench('logs');
  const all = ['initStart', 'telemetrySubscription', 'start', 'end', 'report'];
  for (const name of all) push(`platform.${name}`);
  await subscription.flush();
  const own = ['logsSubscription', 'start', 'end', 'report'];
  assert.deepEqual(types(), [own.map((name) => `platform.${name}`)]);
});

test('events that come faster than they are taken are dropped beyond a bound, and counted', async () => {
  const { clock, push, batches, answers, subscription } = bench();
  const taken = Promise.withResolvers<boolean>();
  answers(() => taken.promise);
  const line = 'x'.repeat(100_000);
  for (let n = 0; n < 100; n++) push('function', line);
  await turn();
  answers(async () => true);
  taken.resolve(true);
  await subscription.flush();
  const items = batches.flat();
  const dropped = items.find(({ type }) => type === 'platform.logsDropped')?.record as {
    droppedRecords: number;
  };
  const kept = items.filter(({ type }) => type === 'function').length;
  assert.equal(kept + dropped.droppedRecords, 100);
  assert.ok(kept * line.length <= limits.runtime.telemetryPendingBytes);

  answers(async () => false);
  push('function', 'lost');
  const given = subscription.flush();
  for (let n = 0; n < limits.runtime.telemetryAttempts; n++) {
    await turn();
    clock.jump(limits.runtime.telemetryRetryMs);
  }
  await given;
  answers(async () => true);
  push('function', 'next');
  await subscription.flush();
  const last = batches.at(-1)?.[0];
  assert.equal(last?.type, 'platform.logsDropped');
});
