import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Labels, Meter } from '../base/mod.ts';
import { isSluiceError, noMeter } from '../base/mod.ts';
import { region, sleep, templateOf } from './service-fixture.ts';
import type { InvokeOutcome, InvokeRequest } from './types.ts';

const CALLERS = 200;

/** Calls again until it is answered; answers how often it was refused, and the reasons. */
async function insist(invoke: () => Promise<InvokeOutcome>): Promise<string[]> {
  const reasons: string[] = [];
  for (;;) {
    try {
      await invoke();
      return reasons;
    } catch (error) {
      if (!isSluiceError(error) || error.data['reason'] === undefined) throw error;
      reasons.push(String(error.data['limit'] ?? error.data['reason']));
      await sleep(2);
    }
  }
}

/** What 200 callers that insist were refused with, each reason once. */
async function reasonsOf(
  invoke: (more?: Partial<InvokeRequest>) => Promise<InvokeOutcome>,
  more: (caller: number) => Partial<InvokeRequest>,
): Promise<string[]> {
  const callers = Array.from({ length: CALLERS }, (_, caller) =>
    insist(() => invoke(more(caller))),
  );
  return [...new Set((await Promise.all(callers)).flat())].sort();
}

/** Counts of refusals by reason. */
function refusalMeter(): { meter: Meter; refused: Map<string, number> } {
  const refused = new Map<string, number>();
  const counter = (name: string) => ({
    add: (value = 1, labels: Labels = {}) => {
      const reason = labels['reason'] ?? '';
      if (name === 'sluice_invokes_refused_total') {
        refused.set(reason, (refused.get(reason) ?? 0) + value);
      }
    },
  });
  return { meter: { ...noMeter, counter }, refused };
}

describe('under two hundred parallel callers', () => {
  test('an account is never over its concurrency, not by one, and gets all of it', async (t) => {
    const concurrency = { of: () => ({ account: 20, reservedTotal: 0 }) };
    const { host, invoke } = region(t, { concurrency });
    const reasons = await reasonsOf(invoke, (caller) => ({
      template: templateOf(caller % 2 === 0 ? 'f' : 'g'),
    }));
    assert.deepEqual(reasons, ['ConcurrentInvocationLimitExceeded']);
    assert.equal(host.mostAtWork, 20);
  });

  test('a reservation binds its function, and what it leaves binds the others', async (t) => {
    for (const [reserved, most] of [
      [12, 12],
      [undefined, 8],
    ] as const) {
      const { host, invoke } = region(t);
      const allowance = { account: 20, reservedTotal: 12 };
      const concurrency = reserved === undefined ? allowance : { ...allowance, reserved };
      const reasons = await reasonsOf(invoke, () => ({ concurrency }));
      const words = reserved === undefined ? '' : 'ReservedFunction';
      // The other one is the limit on requests a second, ten times the concurrency.
      assert.ok(reasons.includes(`${words}ConcurrentInvocationLimitExceeded`), reasons.join());
      assert.equal(host.mostAtWork, most);
    }
  });

  test('provisioned sandboxes serve beside what is unreserved, and no further', async (t) => {
    const { host, service, invoke } = region(t);
    service.provision(templateOf('f'), 4);
    while (service.provisioned(templateOf('f')).available < 4) await sleep(1);
    const concurrency = { account: 20, reservedTotal: 4 };
    const reasons = await reasonsOf(invoke, () => ({ concurrency }));
    assert.deepEqual(reasons, ['ConcurrentInvocationLimitExceeded']);
    assert.equal(host.mostAtWork, 20);
  });

  test('cold starts keep to the limits of account and region, and refusals are counted', async (t) => {
    for (const [limit, reason] of [
      ['startsPerAccount', 'starts-per-account'],
      ['startsPerRegion', 'starts-per-region'],
    ] as const) {
      const { meter, refused } = refusalMeter();
      const { host, invoke } = region(t, { limits: { [limit]: 3 }, meter });
      // A function a caller: one that has a sandbox lets its callers wait for that.
      const reasons = await reasonsOf(invoke, (caller) => ({ template: templateOf(`f${caller}`) }));
      assert.deepEqual(reasons, [reason]);
      assert.equal(host.mostStarting, 3);
      assert.ok((refused.get(reason) ?? 0) >= CALLERS - 3);
    }
  });

  test('a worker that starts enough already refuses, by name and counted', async (t) => {
    const { meter, refused } = refusalMeter();
    const { host, invoke } = region(t, { meter });
    host.startsAtOnce = 3;
    const template = (caller: number) => ({ template: templateOf(`f${caller}`) });
    await reasonsOf(invoke, template);
    assert.equal(host.mostStarting, 3);
    assert.ok((refused.get('starts-per-worker') ?? 0) >= CALLERS - 3 - 32);
  });
});
