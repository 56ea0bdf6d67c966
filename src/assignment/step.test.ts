import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type AssignmentEffect,
  type AssignmentEvent,
  type AssignmentLimits,
  type AssignmentState,
  createState,
  nextTickMs,
  type VersionKey,
} from './state.ts';
import { step } from './step.ts';
import type { ConcurrencyAllowance, SandboxTemplate } from './types.ts';

const limits: AssignmentLimits = {
  startsPerRegion: 4,
  startsPerAccount: 3,
  sandboxes: 6,
  waitingPerVersion: 5,
  waitMs: 1000,
  settleMs: 20,
  idleMs: 5000,
  startsPerFunctionBurst: 1000,
  startsPerFunctionPerSecond: 100,
};

const wide: ConcurrencyAllowance = { account: 1000, reservedTotal: 0 };

function versionOf(name: string, accountId = 'a1', version = '1'): VersionKey {
  const functionArn = `arn:${accountId}:${name}`;
  const versionArn = `${functionArn}:${version}`;
  const template = { functionArn } as SandboxTemplate;
  return { key: `${versionArn}#1`, versionArn, functionArn, accountId, template };
}

/** Drives the machine and keeps the books that every step is held to. */
class Region {
  readonly state: AssignmentState;
  nowMs = 0;
  invokeId = 0;
  /** By invoke: waiting, or the sandbox that it is lent. */
  readonly waiting = new Map<number, VersionKey>();
  readonly lent = new Map<number, string>();
  readonly settling = new Set<string>();
  readonly starting = new Map<string, VersionKey>();
  /** Idle sandboxes by version key, `+` if provisioned; last used last. */
  readonly idle = new Map<string, string[]>();
  readonly versionOfSandbox = new Map<string, VersionKey>();
  readonly reasons: string[] = [];

  constructor(given: Partial<AssignmentLimits> = {}) {
    this.state = createState({ ...limits, ...given }, 's');
  }

  do(event: AssignmentEvent): readonly AssignmentEffect[] {
    const { effects } = step(this.state, event, this.nowMs);
    for (const effect of effects) this.#book(effect, event);
    return effects;
  }

  invoke(version: VersionKey, view: ConcurrencyAllowance = wide): number {
    const invokeId = ++this.invokeId;
    this.waiting.set(invokeId, version);
    this.do({ type: 'invoke', invokeId, version, limits: view });
    return invokeId;
  }

  started(sandboxId: string, initFailed = false): void {
    this.do({ type: 'started', sandboxId, initFailed });
    const version = this.starting.get(sandboxId);
    if (!version) return;
    this.starting.delete(sandboxId);
    this.#idleUnlessLent(sandboxId, version);
  }

  startFailed(sandboxId: string): void {
    this.#forget(sandboxId);
    this.do({ type: 'start-failed', sandboxId });
  }

  answered(invokeId: number): void {
    const sandboxId = this.lent.get(invokeId);
    assert.ok(sandboxId);
    this.lent.delete(invokeId);
    this.settling.add(sandboxId);
    this.do({ type: 'answered', invokeId, sandboxId });
  }

  settled(sandboxId: string): void {
    this.settling.delete(sandboxId);
    this.do({ type: 'settled', sandboxId });
    const version = this.versionOfSandbox.get(sandboxId);
    if (version) this.#idleUnlessLent(sandboxId, version);
  }

  ended(sandboxId: string): void {
    this.#forget(sandboxId);
    this.do({ type: 'ended', sandboxId });
  }

  provision(version: VersionKey, count: number): void {
    this.do({ type: 'provision', version, count });
  }

  advance(byMs: number): void {
    const untilMs = this.nowMs + byMs;
    for (;;) {
      const dueMs = nextTickMs(this.state);
      if (dueMs === undefined || dueMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, dueMs);
      this.do({ type: 'tick' });
    }
    this.nowMs = untilMs;
  }

  #idleUnlessLent(sandboxId: string, version: VersionKey): void {
    if ([...this.lent.values()].includes(sandboxId)) return;
    if (!this.versionOfSandbox.has(sandboxId)) return;
    const kept = this.state.sandboxes.get(sandboxId)?.provisioned ? '+' : '';
    const stack = this.idle.get(version.key + kept) ?? [];
    stack.push(sandboxId);
    this.idle.set(version.key + kept, stack);
  }

  #forget(sandboxId: string): void {
    this.versionOfSandbox.delete(sandboxId);
    this.settling.delete(sandboxId);
    this.starting.delete(sandboxId);
    for (const stack of this.idle.values()) {
      const at = stack.indexOf(sandboxId);
      if (at >= 0) stack.splice(at, 1);
    }
  }

  #book(effect: AssignmentEffect, event: AssignmentEvent): void {
    switch (effect.type) {
      case 'start':
        this.starting.set(effect.sandboxId, effect.version);
        this.versionOfSandbox.set(effect.sandboxId, effect.version);
        break;
      case 'stop':
        assert.ok(this.versionOfSandbox.has(effect.sandboxId), 'a sandbox is stopped once');
        this.#forget(effect.sandboxId);
        break;
      case 'refuse':
      case 'fail':
        assert.ok(this.waiting.delete(effect.invokeId), 'only a waiting invoke is turned away');
        if (effect.type === 'refuse') this.reasons.push(effect.reason);
        break;
      case 'lend': {
        const version = this.waiting.get(effect.invokeId);
        assert.ok(version, 'an invoke gets one sandbox');
        assert.equal(this.versionOfSandbox.get(effect.sandboxId)?.key, version.key);
        assert.ok(
          ![...this.lent.values()].includes(effect.sandboxId),
          'a sandbox is lent to one invoke at a time',
        );
        const earlier = [...this.waiting].filter(([, each]) => each.key === version.key)[0]?.[0];
        assert.equal(earlier, effect.invokeId, 'first come, first served');
        const kept = this.idle.get(`${version.key}+`) ?? [];
        const ordinary = this.idle.get(version.key) ?? [];
        if (event.type === 'invoke') {
          const last = (kept.length > 0 ? kept : ordinary).pop();
          assert.equal(last, effect.sandboxId, 'the provisioned first, then the one used last');
        }
        assert.ok(
          ![...kept, ...ordinary].includes(effect.sandboxId),
          'nobody waits beside an idle',
        );
        this.waiting.delete(effect.invokeId);
        this.settling.delete(effect.sandboxId);
        this.lent.set(effect.invokeId, effect.sandboxId);
        break;
      }
    }
  }
}

const f = versionOf('f');

describe('a single function', () => {
  test('starts one sandbox for each invoke that waits, and reuses the last used first', () => {
    const region = new Region();
    const first = region.invoke(f);
    const second = region.invoke(f);
    const [s1 = '', s2 = ''] = region.starting.keys();
    region.started(s1);
    region.started(s2);
    assert.deepEqual([region.lent.get(first), region.lent.get(second)], [s1, s2]);
    region.answered(second);
    region.settled(s2);
    region.answered(first);
    region.settled(s1);
    const third = region.invoke(f);
    assert.equal(region.lent.get(third), s1);
    assert.equal(region.state.starting, 0);
  });

  test('an invoke that comes while the sandbox settles waits for it', () => {
    const region = new Region();
    const first = region.invoke(f);
    const [sandboxId = ''] = region.starting.keys();
    region.started(sandboxId);
    region.answered(first);
    const second = region.invoke(f);
    assert.equal(region.starting.size, 0, 'no cold start for a moment’s wait');
    region.advance(limits.settleMs - 1);
    assert.equal(region.starting.size, 0);
    region.advance(1);
    assert.equal(region.starting.size, 1, 'but not for longer');
    region.settled(sandboxId);
    assert.equal(region.lent.get(second), sandboxId);
  });

  test('an idle sandbox is stopped after its time, the oldest first', () => {
    const region = new Region();
    region.invoke(f);
    region.invoke(f);
    const ids = [...region.starting.keys()];
    for (const sandboxId of ids) region.started(sandboxId);
    for (const invokeId of [...region.lent.keys()]) {
      const sandboxId = region.lent.get(invokeId) ?? '';
      region.answered(invokeId);
      region.settled(sandboxId);
      region.advance(100);
    }
    region.advance(limits.idleMs - 200);
    assert.deepEqual([...region.versionOfSandbox.keys()], ids.slice(1));
    region.advance(100);
    assert.equal(region.versionOfSandbox.size, 0);
    assert.equal(region.state.functions.size + region.state.accounts.size, 0, 'all forgotten');
  });

  test('a sandbox whose init failed answers a waiting invoke and is never idle', () => {
    const region = new Region();
    region.invoke(f);
    const [sandboxId = ''] = region.starting.keys();
    region.started(sandboxId, true);
    assert.equal(region.lent.size, 1);
    region.answered(1);
    region.ended(sandboxId);
    assert.equal(region.versionOfSandbox.size, 0);
  });

  test('a drained version keeps its busy sandbox to the end of the invoke', () => {
    const region = new Region();
    const first = region.invoke(f);
    region.invoke(f);
    const [s1 = '', s2 = ''] = region.starting.keys();
    region.started(s1);
    region.started(s2);
    region.answered(2);
    region.settled(s2);
    region.do({ type: 'drain', versionArn: f.versionArn });
    assert.deepEqual([...region.versionOfSandbox.keys()], [s1]);
    region.answered(first);
    region.settled(s1);
    assert.equal(region.versionOfSandbox.size, 0);
  });
});

describe('limits', () => {
  test('a reservation of zero lets nothing in', () => {
    const region = new Region();
    region.invoke(f, { account: 1000, reservedTotal: 0, reserved: 0 });
    assert.deepEqual(region.reasons, ['ReservedFunctionConcurrentInvocationLimitExceeded']);
    assert.equal(region.state.versions.size, 0);
  });

  test('what is reserved for one function is not there for the others', () => {
    const region = new Region();
    const view = { account: 5, reservedTotal: 3 };
    for (let i = 0; i < 3; i++) region.invoke(f, view);
    assert.deepEqual(region.reasons, ['ConcurrentInvocationLimitExceeded']);
    for (let i = 0; i < 4; i++) region.invoke(versionOf('g'), { ...view, reserved: 3 });
    assert.deepEqual(region.reasons.slice(1), [
      'ReservedFunctionConcurrentInvocationLimitExceeded',
    ]);
  });

  test('a start over the limit is refused at once to a function that has no sandbox', () => {
    const region = new Region({ startsPerAccount: 2 });
    region.invoke(versionOf('f1'));
    region.invoke(versionOf('f2'));
    region.invoke(versionOf('f3'));
    assert.deepEqual(region.reasons, ['starts-per-account']);
    region.invoke(versionOf('f3', 'a2'));
    assert.equal(region.starting.size, 3, 'another account has its own');
  });

  test('one that has sandboxes waits, and starts more as starts end', () => {
    const region = new Region({ startsPerRegion: 2, startsPerAccount: 2 });
    for (let i = 0; i < 5; i++) region.invoke(f);
    assert.equal(region.starting.size, 2);
    for (let round = 0; round < 3; round++) {
      for (const sandboxId of [...region.starting.keys()]) region.started(sandboxId);
    }
    assert.equal(region.lent.size, 5);
    assert.deepEqual(region.reasons, []);
  });

  test('the oldest idle sandbox makes room for another function', () => {
    const region = new Region({ sandboxes: 1 });
    region.invoke(f);
    const [sandboxId = ''] = region.starting.keys();
    region.started(sandboxId);
    region.invoke(versionOf('g'));
    assert.deepEqual(region.reasons, ['sandboxes'], 'a busy one does not');
    region.answered(1);
    region.settled(sandboxId);
    region.invoke(versionOf('g'));
    assert.equal(region.starting.size, 1);
    assert.ok(!region.versionOfSandbox.has(sandboxId));
  });

  test('nobody waits longer than the limit', () => {
    const region = new Region();
    region.invoke(f);
    region.advance(limits.waitMs);
    assert.deepEqual(region.reasons, ['waiting']);
  });
});

describe('provisioned concurrency', () => {
  const view = { account: 10, reservedTotal: 9 };

  test('is made ready before the first call, and comes before any other', () => {
    const region = new Region();
    region.provision(f, 2);
    const ready = [...region.starting.keys()];
    assert.equal(ready.length, 2);
    for (const sandboxId of ready) region.started(sandboxId);
    region.advance(10 * limits.idleMs);
    assert.equal(region.versionOfSandbox.size, 2, 'it does not age');
    for (let i = 0; i < 4; i++) region.invoke(f, view);
    assert.deepEqual(new Set(region.lent.values()), new Set(ready));
    assert.equal(region.starting.size, 1, 'beyond it one starts on demand');
    assert.deepEqual(region.reasons, ['ConcurrentInvocationLimitExceeded'], 'and the next is over');
  });

  test('a sandbox that dies is replaced, one whose init fails is not', () => {
    const region = new Region();
    region.provision(f, 1);
    const [first = ''] = region.starting.keys();
    region.started(first);
    region.ended(first);
    const [second = ''] = region.starting.keys();
    assert.notEqual(second, '');
    region.started(second, true);
    assert.equal(region.starting.size, 0);
    region.provision(f, 1);
    assert.equal(region.starting.size, 1, 'until it is asked for again');
  });

  test('what is no longer wanted goes', () => {
    const region = new Region();
    region.provision(f, 2);
    for (const sandboxId of [...region.starting.keys()]) region.started(sandboxId);
    region.invoke(f, view);
    region.provision(f, 0);
    assert.equal(region.versionOfSandbox.size, 1, 'but not what is at work');
    region.answered(1);
    region.settled([...region.versionOfSandbox.keys()][0] ?? '');
    region.advance(limits.idleMs);
    assert.equal(region.versionOfSandbox.size, 0);
    assert.equal(region.state.versions.size, 0);
  });
});

describe('rates', () => {
  test('a function starts no faster than its rate once the burst is used', () => {
    const starts = {
      startsPerAccount: 4,
      startsPerFunctionBurst: 2,
      startsPerFunctionPerSecond: 10,
    };
    const region = new Region(starts);
    for (let i = 0; i < 4; i++) region.invoke(f);
    assert.equal(region.starting.size, 2);
    region.advance(99);
    assert.equal(region.starting.size, 2);
    region.advance(1);
    assert.equal(region.starting.size, 3);
    region.advance(100);
    assert.equal(region.starting.size, 4);
  });

  test('ten requests a second for each unit of concurrency', () => {
    const region = new Region();
    const view = { account: 10, reservedTotal: 1, reserved: 1 };
    region.invoke(f, view);
    const [sandboxId = ''] = region.starting.keys();
    region.started(sandboxId);
    for (let i = 0; i < 10; i++) {
      const invokeId = [...region.lent.keys()][0];
      if (invokeId === undefined) break;
      region.answered(invokeId);
      region.settled(sandboxId);
      region.invoke(f, view);
    }
    assert.deepEqual(region.reasons, ['ReservedFunctionInvocationRateLimitExceeded']);
  });

  test('memory pressure takes the sandboxes that were idle longest', () => {
    const region = new Region();
    for (const name of ['f', 'g', 'h']) region.invoke(versionOf(name));
    const ids = [...region.starting.keys()];
    for (const sandboxId of ids) region.started(sandboxId);
    for (const [invokeId, sandboxId] of [...region.lent]) {
      region.answered(invokeId);
      region.settled(sandboxId);
    }
    region.do({ type: 'reclaim', count: 2 });
    assert.deepEqual([...region.versionOfSandbox.keys()], ids.slice(2));
  });
});

type Move =
  | { type: 'invoke' | 'drain'; function: number }
  | { type: 'start-ends'; pick: number; how: 'ok' | 'init-failed' | 'ours' }
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
      how: fc.constantFrom('ok' as const, 'ok' as const, 'init-failed' as const, 'ours' as const),
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
