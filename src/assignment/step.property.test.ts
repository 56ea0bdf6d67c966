import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../test/support/property-runs.ts';
import type { AssignmentEvent } from './events.ts';
import {
  account,
  calmMoves,
  functions,
  play,
  reservedTotal,
  roughMoves,
} from './moves-model.fixture.ts';
import { encodeState } from './snapshot.ts';
import { createState } from './state.ts';
import { step } from './step.ts';
import { limits, Region, reloaded } from './step-model.fixture.ts';

/** As the state is written down, without the difference between absent and undefined. */
const written = (region: { state: Region['state'] }) =>
  JSON.parse(JSON.stringify(encodeState(region.state))) as unknown;

function free(): Region {
  const region = new Region();
  region.placeOn = undefined;
  return region;
}

/** What holds whoever leads. */
function checkCounts(region: Region): void {
  const { state } = region;
  assert.equal(state.waiting.size, region.waiting.size, 'no invoke is lost, none is invented');
  assert.equal(state.allWaiting.length, region.waiting.size);
  assert.equal(state.starting, region.starting.size + region.placing.size);
  assert.equal(state.sandboxes.size, region.versionOfSandbox.size);
  assert.ok(state.starting <= limits.startsPerRegion);
  assert.ok(state.sandboxes.size <= limits.sandboxes);
  for (const each of state.accounts.values()) {
    assert.ok(each.starting <= limits.startsPerAccount);
    assert.ok(each.inFlight >= 0 && each.unreservedInFlight >= 0);
  }
  for (const version of state.versions.values()) {
    const idle = version.idle.length + version.idleProvisioned.length;
    assert.equal(version.idle.length, (region.idle.get(version.ref.key) ?? []).length);
    assert.ok(!(idle > 0 && version.waiting.length > 0), 'nobody waits in vain');
    assert.ok(version.waiting.length <= limits.waitingPerVersion);
    assert.ok(version.function.occupied >= 0);
    const kept = [...version.sandboxes].filter((each) => each.provisioned);
    assert.equal(version.provisionedMade, kept.length);
    assert.equal(
      version.provisionedUp,
      kept.filter(({ phase }) => phase !== 'starting' && phase !== 'placing').length,
      'what is provisioned and up is counted right',
    );
    const hungry = version.waiting.length > version.starting + version.settlingSoon;
    assert.ok(!hungry || state.hungry.has(version), 'who needs a start is known to need it');
  }
}

/** What holds while one leader has seen everything itself. */
function checkLimits({ state, waiting, lent }: Region): void {
  assert.equal(state.inFlight, waiting.size + lent.size);
  for (const each of state.accounts.values()) {
    assert.ok(each.inFlight <= account);
    assert.ok(each.unreservedInFlight <= account - reservedTotal);
  }
  for (const version of state.versions.values()) {
    const { occupied, limit } = version.function;
    const provisionable = /f[12]$/.test(version.ref.functionArn);
    assert.ok(provisionable || occupied <= limit, 'no more at work than may be');
    assert.ok(version.provisionedMade <= 2 && version.provisionedInFlight <= 2);
  }
}

function checkEnd(region: Region): void {
  region.do({ type: 'close', force: true });
  assert.equal(region.waiting.size, 0);
  assert.equal(region.versionOfSandbox.size, 0, 'nothing is left after close');
  for (const version of functions) region.provision(version, 0);
  const { versions, functions: owners, accounts, inFlight, starting } = region.state;
  assert.equal(versions.size + owners.size + accounts.size, 0, 'all forgotten');
  assert.deepEqual([inFlight, starting], [0, 0]);
}

test('whatever happens in whatever order, no limit is exceeded and no invoke is lost', () => {
  fc.assert(
    fc.property(calmMoves, (moves) => {
      const region = free();
      for (const each of moves) {
        play(region, each);
        checkCounts(region);
        checkLimits(region);
      }
      checkEnd(region);
    }),
    { numRuns: propertyRuns(500) },
  );
});

test('leaders and clocks change, and leases get lost: every sandbox stays accounted for', () => {
  fc.assert(
    fc.property(roughMoves, (moves) => {
      const region = free();
      for (const each of moves) {
        play(region, each);
        checkCounts(region);
      }
      checkEnd(region);
    }),
    { numRuns: propertyRuns(500) },
  );
});

test('a state restored from its snapshot steps like the original', () => {
  fc.assert(
    fc.property(roughMoves, fc.nat(120), (moves, cut) => {
      const region = free();
      for (const each of moves.slice(0, cut)) play(region, each);
      let twin = reloaded(region.state, limits);
      for (const each of moves.slice(cut)) {
        const from = region.events.length;
        play(region, each);
        if (each.type === 'takeover') twin = reloaded(region.state, limits);
        else for (const event of region.events.slice(from)) step(twin, event);
        assert.deepEqual(written({ state: twin }), written(region));
      }
    }),
    { numRuns: propertyRuns(250) },
  );
});

test('living through all events equals replaying some, saving, loading, and replaying the rest', () => {
  const run = (events: readonly AssignmentEvent[], cut: number) => {
    const effects: unknown[] = [];
    let state = createState(limits);
    for (const [index, event] of events.entries()) {
      if (index === cut) state = reloaded(state, limits);
      effects.push(...step(state, event).effects);
    }
    return { effects, state };
  };
  fc.assert(
    fc.property(calmMoves, fc.nat(200), (moves, cut) => {
      const region = free();
      for (const each of moves) play(region, each);
      const lived = run(region.events, -1);
      const replayed = run(region.events, cut);
      assert.deepEqual(replayed.effects, lived.effects);
      assert.deepEqual(written(replayed), written(lived));
    }),
    { numRuns: propertyRuns(250) },
  );
});
