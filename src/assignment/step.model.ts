import assert from 'node:assert/strict';
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
};

const wide: ConcurrencyAllowance = { account: 1000, reservedTotal: 0 };

export function versionOf(name: string, accountId = 'a1', version = '1'): VersionKey {
  const functionArn = `arn:${accountId}:${name}`;
  const versionArn = `${functionArn}:${version}`;
  const template = { functionArn } as SandboxTemplate;
  return { key: `${versionArn}#1`, versionArn, functionArn, accountId, template };
}

/** Drives the machine and keeps the books that every step is held to. */
export class Region {
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

  startFailed(sandboxId: string, limited = false): void {
    this.#forget(sandboxId);
    this.do({ type: 'start-failed', sandboxId, limited });
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
