import assert from 'node:assert/strict';
import { checkCounted } from './counts.fixture.ts';
import {
  type AssignmentEffect,
  type AssignmentEvent,
  isDurable,
  type StartError,
} from './events.ts';
import { type AssignmentSnapshot, decodeState, encodeState } from './snapshot.ts';
import { type AssignmentLimits, type AssignmentState, createState } from './state.ts';
import { step } from './step.ts';
import { nextTickMs } from './time.ts';
import {
  type ConcurrencyAllowance,
  type LeaseVerdict,
  type SandboxReport,
  type VersionRef,
  versionRef,
} from './types.ts';

export const limits: AssignmentLimits = {
  startsPerRegion: 4,
  startsPerAccount: 3,
  sandboxes: 6,
  waitingPerVersion: 5,
  waitMs: 1000,
  settleMs: 20,
  settleMsMost: 200,
  idleMs: 5000,
  startsPerFunctionBurst: 1000,
  startsPerFunctionPerSecond: 100,
  ratesKept: 2,
  leapMs: 500,
  takeUpMs: 3000,
};

const wide: ConcurrencyAllowance = { account: 1000, reservedTotal: 0 };
export const ours: StartError = { code: 'SANDBOX_START_FAILED', message: 's: no disk', data: {} };
export const limited: StartError = { code: 'START_LIMIT_EXCEEDED', message: 's: many', data: {} };

export function versionOf(name: string, accountId = 'a1', version = '1'): VersionRef {
  const functionArn = `arn:${accountId}:${name}`;
  const versionArn = `${functionArn}:${version}`;
  return versionRef({ versionArn, functionArn, accountId, revision: '1', memoryMb: 128 });
}

type Untimed<E> = E extends unknown ? Omit<E, 'atMs'> : never;

/** A sandbox as its worker knows it. */
interface Hosted {
  readonly workerId: string;
  readonly version: VersionRef;
  phase: SandboxReport['phase'];
  lease: SandboxReport['lease'];
}

/** Drives the machine and keeps the books that every step is held to. */
export class Region {
  state: AssignmentState;
  nowMs = 0;
  leaseId = 0;
  /** Where starts go; `undefined` leaves them to `place` and `unplaced`. */
  placeOn: string | undefined = 'w1';
  /** By lease: waiting, or the sandbox that it is lent. */
  readonly waiting = new Map<number, VersionRef>();
  readonly lent = new Map<number, string>();
  readonly settling = new Map<string, number>();
  readonly placing = new Map<string, VersionRef>();
  readonly starting = new Map<string, VersionRef>();
  /** Idle sandboxes by version key, `+` if provisioned; last used last. */
  readonly idle = new Map<string, string[]>();
  readonly versionOfSandbox = new Map<string, VersionRef>();
  readonly hosted = new Map<string, Hosted>();
  readonly reasons: string[] = [];
  readonly events: AssignmentEvent[] = [];
  readonly #limits: AssignmentLimits;
  #term = 0;

  constructor(given: Partial<AssignmentLimits> = {}) {
    this.#limits = { ...limits, ...given };
    this.state = createState(this.#limits);
    this.elect();
  }

  elect(): void {
    this.#term++;
    this.do({ type: 'elected', term: this.#term, idPrefix: `s${this.#term}` });
  }

  do(untimed: Untimed<AssignmentEvent>): readonly AssignmentEffect[] {
    const event = { ...untimed, atMs: this.nowMs } as AssignmentEvent;
    this.events.push(event);
    const { effects } = step(this.state, event);
    checkCounted(this.state);
    for (const effect of effects) this.#book(effect, event);
    for (const effect of effects) {
      if (effect.type === 'place' && this.placeOn !== undefined) this.place(effect.sandboxId);
      if (effect.type === 'stop') this.do({ type: 'died', sandboxId: effect.sandboxId });
    }
    return effects;
  }

  place(sandboxId: string, workerId = this.placeOn ?? 'w1'): void {
    const version = this.placing.get(sandboxId);
    if (!version) return;
    const provisioned = this.state.sandboxes.get(sandboxId)?.provisioned ?? false;
    this.do({ type: 'born', sandboxId, workerId, version, provisioned });
  }

  unplaced(sandboxId: string, error = limited): void {
    this.#forget(sandboxId);
    this.do({ type: 'unplaced', sandboxId, error });
  }

  invoke(version: VersionRef, allowance: ConcurrencyAllowance = wide, patienceMs?: number): number {
    const leaseId = ++this.leaseId;
    this.waiting.set(leaseId, version);
    this.do({ type: 'acquire', leaseId, version, allowance, patienceMs });
    return leaseId;
  }

  started(sandboxId: string, initFailed = false): void {
    const hosted = this.hosted.get(sandboxId);
    if (hosted) hosted.phase = 'idle';
    const version = this.starting.get(sandboxId);
    this.do({ type: 'ready', sandboxId, initFailed });
    if (!version) return;
    this.starting.delete(sandboxId);
    this.#idleUnlessLent(sandboxId, version);
  }

  startFailed(sandboxId: string, error = ours): void {
    this.#forget(sandboxId);
    this.do({ type: 'died', sandboxId, error });
  }

  answered(leaseId: number): void {
    const sandboxId = this.lent.get(leaseId);
    assert.ok(sandboxId);
    this.lent.delete(leaseId);
    this.settling.set(sandboxId, leaseId);
    this.do({ type: 'answered', ...this.#ref(sandboxId, leaseId) });
  }

  settled(sandboxId: string): void {
    const leaseId = this.settling.get(sandboxId) ?? 0;
    this.settling.delete(sandboxId);
    const hosted = this.hosted.get(sandboxId);
    if (hosted) hosted.phase = 'idle';
    this.do({ type: 'settled', ...this.#ref(sandboxId, leaseId) });
    const version = this.versionOfSandbox.get(sandboxId);
    if (version) this.#idleUnlessLent(sandboxId, version);
  }

  undelivered(leaseId: number, verdict: LeaseVerdict): void {
    const sandboxId = this.lent.get(leaseId) ?? '';
    this.lent.delete(leaseId);
    const ref = this.#ref(sandboxId, leaseId);
    // Whoever else had it is done with it when its worker is next heard.
    const hosted = this.hosted.get(sandboxId);
    if (hosted) hosted.phase = 'idle';
    this.do({ type: 'undelivered', ...ref, verdict });
  }

  ended(sandboxId: string): void {
    this.#forget(sandboxId);
    this.do({ type: 'died', sandboxId });
  }

  provision(version: VersionRef, count: number): void {
    this.do({ type: 'provisioned', version, count });
  }

  /** What the worker has, as it would report it. */
  report(workerId: string): void {
    const mine = [...this.hosted].filter(([, each]) => each.workerId === workerId);
    const unheard = mine.filter(([id]) => this.state.sandboxes.get(id)?.phase === 'unheard');
    const sandboxes = mine.map(([sandboxId, { phase, lease }]) => ({ sandboxId, phase, lease }));
    this.do({ type: 'worker-report', workerId, sandboxes });
    for (const [sandboxId, { version, phase }] of unheard) {
      if (phase === 'idle') this.#idleUnlessLent(sandboxId, version);
    }
  }

  workerLeft(workerId: string): void {
    for (const [sandboxId, each] of [...this.hosted]) {
      if (each.workerId === workerId) this.hosted.delete(sandboxId);
    }
    this.do({ type: 'worker-left', workerId });
  }

  /** Another node takes over: from a snapshot of all, or from what a journal has. */
  takeover(how: 'snapshot' | 'journal'): void {
    if (how === 'snapshot') this.reload();
    else this.state = replayDurable(this.events, this.#limits);
    for (const leaseId of this.waiting.keys()) this.waiting.delete(leaseId);
    for (const sandboxId of this.placing.keys()) this.#forget(sandboxId);
    this.idle.clear();
    this.elect();
  }

  /** The same state, by way of its bytes. */
  reload(): void {
    this.state = reloaded(this.state, this.#limits);
    checkCounted(this.state);
  }

  advance(byMs: number): void {
    const untilMs = this.nowMs + byMs;
    for (;;) {
      const dueMs = nextTickMs(this.state);
      if (dueMs === undefined) break;
      const atMs = dueMs - this.state.clockShiftMs;
      if (atMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, atMs);
      this.do({ type: 'tick' });
    }
    this.nowMs = untilMs;
  }

  #ref(sandboxId: string, leaseId: number) {
    const term = this.hosted.get(sandboxId)?.lease?.term ?? this.#term;
    return { sandboxId, leaseId, term };
  }

  #idleUnlessLent(sandboxId: string, version: VersionRef): void {
    if ([...this.lent.values()].includes(sandboxId)) return;
    const record = this.state.sandboxes.get(sandboxId);
    // A new leader takes nobody's word but the worker's own report for what is idle.
    if (!record || record.phase === 'unheard') return;
    const kept = record.provisioned ? '+' : '';
    const stack = this.idle.get(version.key + kept) ?? [];
    stack.push(sandboxId);
    this.idle.set(version.key + kept, stack);
  }

  #forget(sandboxId: string): void {
    for (const book of [this.versionOfSandbox, this.hosted, this.settling]) book.delete(sandboxId);
    this.starting.delete(sandboxId);
    this.placing.delete(sandboxId);
    for (const [leaseId, each] of this.lent) if (each === sandboxId) this.lent.delete(leaseId);
    for (const stack of this.idle.values()) {
      const at = stack.indexOf(sandboxId);
      if (at >= 0) stack.splice(at, 1);
    }
  }

  #book(effect: AssignmentEffect, event: AssignmentEvent): void {
    switch (effect.type) {
      case 'place':
        this.placing.set(effect.sandboxId, effect.version);
        this.versionOfSandbox.set(effect.sandboxId, effect.version);
        break;
      case 'start': {
        const { sandboxId, workerId, version } = effect;
        assert.ok(this.placing.delete(sandboxId), 'a sandbox starts where it was placed, once');
        this.starting.set(sandboxId, version);
        this.hosted.set(sandboxId, { workerId, version, phase: 'starting', lease: undefined });
        break;
      }
      case 'stop':
        this.#forget(effect.sandboxId);
        break;
      case 'refuse':
      case 'fail':
        assert.ok(this.waiting.delete(effect.leaseId), 'only a waiting invoke is turned away');
        if (effect.type === 'refuse') this.reasons.push(effect.reason);
        break;
      case 'lend':
        this.#bookLoan(effect, event);
        break;
    }
  }

  #bookLoan(effect: AssignmentEffect & { type: 'lend' }, event: AssignmentEvent): void {
    const { leaseId, sandboxId, pool } = effect;
    const version = this.waiting.get(leaseId);
    assert.ok(version, 'an invoke gets one sandbox');
    assert.equal(this.versionOfSandbox.get(sandboxId)?.key, version.key);
    const hosted = this.hosted.get(sandboxId);
    assert.equal(hosted?.phase, 'idle', 'a sandbox is lent to one invoke at a time');
    assert.equal(hosted?.workerId, effect.workerId);
    const earlier = [...this.waiting].filter(([, each]) => each.key === version.key)[0]?.[0];
    assert.equal(earlier, leaseId, 'first come, first served');
    const kept = this.idle.get(`${version.key}+`) ?? [];
    const ordinary = this.idle.get(version.key) ?? [];
    if (event.type === 'acquire') {
      const last = (kept.length > 0 ? kept : ordinary).pop();
      assert.equal(last, sandboxId, 'the provisioned first, then the one used last');
    }
    assert.ok(![...kept, ...ordinary].includes(sandboxId), 'nobody waits beside an idle');
    assert.equal(
      effect.coldStart,
      hosted?.lease === undefined,
      'the first lease is the cold start',
    );
    if (hosted)
      Object.assign(hosted, { phase: 'busy', lease: { leaseId, term: this.#term, pool } });
    this.waiting.delete(leaseId);
    this.settling.delete(sandboxId);
    this.lent.set(leaseId, sandboxId);
  }
}

/** By way of JSON, as a snapshot travels. */
export function reloaded(state: AssignmentState, limits: AssignmentLimits): AssignmentState {
  return decodeState(JSON.parse(JSON.stringify(encodeState(state))) as AssignmentSnapshot, limits);
}

/** What a follower knows that has read these events in the journal. */
export function replayDurable(
  events: readonly AssignmentEvent[],
  limits: AssignmentLimits,
): AssignmentState {
  const state = createState(limits);
  for (const event of events.filter(isDurable)) step(state, event);
  return state;
}
