import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noLogger, SeededRandom, systemClock } from '../base/mod.ts';
import { FunctionCache } from '../catalogue/mod.ts';
import type { InvokeCall } from '../dispatch/mod.ts';
import {
  type FunctionRecord,
  installSucceeded,
  MemoryFunctionStore,
  type VersionRecord,
} from '../records/mod.ts';
import { sampleCode, sampleFunction, sampleStamp } from '../records/samples.fixture.ts';
import { QueuedInvokes } from './queued-invokes.ts';

const key = { accountId: '000000000000', name: 'f' };
const deadLetter = (version: number) => `arn:aws:sqs:us-east-1:000000000000:dead-${version}`;

/** A function whose alias `live` sends half its invokes to each of two versions. */
async function weighted(t: { after: (end: () => void) => void }) {
  const store = new MemoryFunctionStore();
  const pending = sampleFunction(key);
  const workId = pending.latest.work?.id ?? '';
  const record = installSucceeded(pending, workId, sampleCode, sampleStamp());
  assert.ok(record?.latest.serving);
  const { latest } = record;
  const versionOf = (version: number): VersionRecord => ({
    ...latest,
    version,
    configuration: { ...latest.configuration, deadLetterTargetArn: deadLetter(version) },
  });
  const live = {
    name: 'live',
    version: 1,
    description: '',
    weights: { '2': 0.5 },
    revisionId: 'r',
  };
  const aliased: FunctionRecord = { ...record, aliases: { live } };
  await store.insert(aliased, [versionOf(1), versionOf(2)]);
  const cache = new FunctionCache(store, 10);
  t.after(() => cache.close());
  const calls: InvokeCall[] = [];
  const queued = new QueuedInvokes({
    region: 'us-east-1',
    cache,
    invoker: {
      invoke: async (call) => {
        calls.push(call);
        const { payload } = call.invocation;
        return { status: 'ok', payload, executedVersion: call.version.version, durationMs: 1 };
      },
      drain: async () => {},
    },
    clock: systemClock,
    random: new SeededRandom(3),
    logger: noLogger,
  });
  return { queued, calls, store };
}

const event = {
  accountId: key.accountId,
  functionName: key.name,
  qualifier: 'live',
  requestId: 'r-1',
  traceId: 'Root=1',
  payload: Buffer.from('{}'),
  receivedMs: 0,
};

describe('an attempt at an event', () => {
  test('of a weighted alias runs the version whose dead letter queue it would tell', async (t) => {
    const { queued } = await weighted(t);
    const seen = new Set<string>();
    for (let n = 0; n < 40; n++) {
      const attempt = await queued.resolve(event);
      const result = await attempt?.invoke();
      assert.ok(attempt && result?.kind === 'ok');
      assert.equal(attempt.policy.deadLetter, deadLetter(Number(result.executedVersion)));
      seen.add(result.executedVersion);
    }
    assert.deepEqual([...seen].sort(), ['1', '2'], 'both have their share');
  });

  test('brings the event with the names that it came with', async (t) => {
    const { queued, calls } = await weighted(t);
    await (await queued.resolve(event))?.invoke();
    const { requestId, traceId, invokedFunctionArn, payload } = calls[0]?.invocation ?? {};
    assert.deepEqual([requestId, traceId], ['r-1', 'Root=1']);
    assert.match(invokedFunctionArn ?? '', /:function:f:live$/);
    assert.equal(payload, event.payload);
  });

  test('of a deleted function does not happen', async (t) => {
    const { queued, store } = await weighted(t);
    await store.remove(key);
    assert.equal(await queued.resolve(event), undefined);
  });
});
