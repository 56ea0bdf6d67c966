import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits, Region, versionOf } from './step.model.ts';

type StartEnd = 'ok' | 'init-failed' | 'ours' | 'limited';

type Move =
  | { type: 'invoke' | 'drain'; function: number }
  | { type: 'start-ends'; pick: number; how: StartEnd }
  | { type: 'answer' | 'settle' | 'die' | 'cancel'; pick: number }
  | { type: 'provision'; function: number; count: number }
  | { type: 'advance'; ms: number };

const pick = fc.nat(1000);
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant('invoke' as const), function: fc.nat(4) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('start-ends' as const),
      pick,
      how: fc.constantFrom<StartEnd>('ok', 'ok', 'ok', 'init-failed', 'ours', 'limited'),
    }),
  },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('answer' as const), pick }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('settle' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('die' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('cancel' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('drain' as const), function: fc.nat(4) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('advance' as const), ms: fc.nat(300) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('provision' as const),
      function: fc.constantFrom(1, 2),
      count: fc.nat(2),
    }),
  },
);

const functions = [0, 1, 2, 3, 4].map((n) => versionOf(`f${n}`, `a${n % 2}`));
/** Three reserved for the first two functions, two kept for what the third may have provisioned. */
const account = 7;
const reservedTotal = 5;

/** Plays one move, if it can be played. */
function play(region: Region, each: Move): void {
  const pickOf = <T>(from: Iterable<T>, at: number): T | undefined => {
    const all = [...from];
    return all[at % all.length];
  };
  switch (each.type) {
    case 'invoke': {
      // A function's reservation stays what it is; the first functions have one.
      const reserved = each.function < 2 ? [1, 2][each.function] : undefined;
      region.invoke(functions[each.function]!, { account, reservedTotal, reserved });
      break;
    }
    case 'start-ends': {
      const sandboxId = pickOf(region.starting.keys(), each.pick);
      if (sandboxId === undefined) break;
      if (each.how === 'ours') region.startFailed(sandboxId);
      else if (each.how === 'limited') region.startFailed(sandboxId, true);
      else region.started(sandboxId, each.how === 'init-failed');
      break;
    }
    case 'answer': {
      const invokeId = pickOf(region.lent.keys(), each.pick);
      if (invokeId !== undefined) region.answered(invokeId);
      break;
    }
    case 'settle': {
      const sandboxId = pickOf(region.settling, each.pick);
      if (sandboxId !== undefined) region.settled(sandboxId);
      break;
    }
    case 'die': {
      const up = [...region.versionOfSandbox.keys()].filter((id) => !region.starting.has(id));
      const sandboxId = pickOf(up, each.pick);
      if (sandboxId !== undefined) region.ended(sandboxId);
      break;
    }
    case 'cancel': {
      const invokeId = pickOf(region.waiting.keys(), each.pick);
      if (invokeId === undefined) break;
      region.waiting.delete(invokeId);
      region.do({ type: 'cancelled', invokeId });
      break;
    }
    case 'drain':
      region.do({ type: 'drain', versionArn: functions[each.function]!.versionArn });
      break;
    case 'provision':
      region.provision(functions[each.function]!, each.count);
      break;
    case 'advance':
      region.advance(each.ms);
      break;
  }
}

function check(region: Region): void {
  const { state } = region;
  const inFlight = region.waiting.size + region.lent.size;
  assert.equal(state.invokes.size, inFlight, 'no invoke is lost, none is invented');
  assert.equal(state.allWaiting.length, region.waiting.size);
  assert.equal(state.starting, region.starting.size);
  assert.equal(state.sandboxes.size, region.versionOfSandbox.size);
  assert.ok(state.starting <= limits.startsPerRegion);
  assert.ok(state.sandboxes.size <= limits.sandboxes);
  for (const each of state.accounts.values()) {
    assert.ok(each.starting <= limits.startsPerAccount);
    assert.ok(each.inFlight <= account);
    assert.ok(each.unreservedInFlight <= account - reservedTotal);
  }
  for (const version of state.versions.values()) {
    const idle = version.idle.length + version.idleProvisioned.length;
    assert.equal(version.idle.length, (region.idle.get(version.key.key) ?? []).length);
    assert.ok(!(idle > 0 && version.waiting.length > 0), 'nobody waits in vain');
    assert.ok(version.waiting.length <= limits.waitingPerVersion);
    const { occupied, limit } = version.function;
    const provisionable = /f[12]$/.test(version.key.functionArn);
    assert.ok(occupied >= 0 && (provisionable || occupied <= limit), 'no more at work than may be');
    const kept = [...version.sandboxes].filter((each) => each.provisioned);
    assert.equal(version.provisionedMade, kept.length);
    assert.ok(version.provisionedMade <= 2 && version.provisionedInFlight <= 2);
    assert.equal(
      version.provisionedUp,
      kept.filter((each) => each.phase !== 'starting').length,
      'what is provisioned and up is counted right',
    );
    const hungry = version.waiting.length > version.starting + version.settlingSoon;
    assert.ok(!hungry || state.hungry.has(version), 'who needs a start is known to need it');
  }
}

test('whatever comes in whatever order, no limit is passed and no invoke lost', () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 120, size: 'max' }), (moves) => {
      const region = new Region();
      for (const each of moves) {
        play(region, each);
        check(region);
      }
      region.do({ type: 'close', force: true });
      assert.equal(region.waiting.size, 0);
      assert.equal(region.versionOfSandbox.size, 0, 'nothing is left after close');
      for (const invokeId of [...region.lent.keys()]) region.answered(invokeId);
      for (const version of functions) region.provision(version, 0);
      assert.equal(region.state.versions.size + region.state.accounts.size, 0, 'all forgotten');
    }),
    { numRuns: 5000, interruptAfterTimeLimit: 6000, markInterruptAsFailure: false },
  );
});
