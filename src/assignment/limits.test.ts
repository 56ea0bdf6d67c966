import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Labels, Meter } from '../base/mod.ts';
import { isSluiceError, noMeter } from '../base/mod.ts';
import { region, versionNamed } from './service.fixture.ts';
import type { AcquireRequest } from './types.ts';

const CALLERS = 200;

/** What 200 callers that insist were refused with, each reason once. */
async function reasonsOf(
  { clock, invoke }: ReturnType<typeof region>,
  more: (caller: number) => Partial<AcquireRequest>,
): Promise<string[]> {
  const reasons = new Set<string>();
  const insist = async (caller: number) => {
    for (;;) {
      try {
        return await invoke(more(caller));
      } catch (error) {
        if (!isSluiceError(error) || error.data['reason'] === undefined) throw error;
        reasons.add(String(error.data['limit'] ?? error.data['reason']));
        await clock.sleep(20);
      }
    }
  };
  const callers = Array.from({ length: CALLERS }, (_, caller) => insist(caller));
  await clock.until(Promise.all(callers));
  return [...reasons].sort();
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
    const allowance = { account: 20, reservedTotal: 0 };
    const zone = region(t);
    const reasons = await reasonsOf(zone, (caller) => ({
      allowance,
      version: versionNamed(caller % 2 === 0 ? 'f' : 'g'),
    }));
    assert.deepEqual(reasons, ['ConcurrentInvocationLimitExceeded']);
    assert.equal(zone.worker.mostAtWork, 20);
  });

  test('a reservation binds its function, and what it leaves binds the others', async (t) => {
    for (const [reserved, most] of [
      [12, 12],
      [undefined, 8],
    ] as const) {
      const zone = region(t);
      const rest = { account: 20, reservedTotal: 12 };
      const allowance = reserved === undefined ? rest : { ...rest, reserved };
      const reasons = await reasonsOf(zone, () => ({ allowance }));
      const words = reserved === undefined ? '' : 'ReservedFunction';
      // The other one is the limit on requests a second, ten times the concurrency.
      assert.ok(reasons.includes(`${words}ConcurrentInvocationLimitExceeded`), reasons.join());
      assert.equal(zone.worker.mostAtWork, most);
    }
  });

  test('provisioned sandboxes serve beside what is unreserved, and no further', async (t) => {
    const zone = region(t);
    const version = versionNamed('f');
    await zone.service.provision(version, 4);
    await zone.clock.advance(zone.worker.startMs);
    assert.equal((await zone.service.provisioned(version)).available, 4);
    const allowance = { account: 20, reservedTotal: 4 };
    const reasons = await reasonsOf(zone, () => ({ allowance }));
    assert.deepEqual(reasons, ['ConcurrentInvocationLimitExceeded']);
    assert.equal(zone.worker.mostAtWork, 20);
  });

  test('cold starts keep to the limits of account and region, and refusals are counted', async (t) => {
    for (const [limit, reason] of [
      ['startsPerAccount', 'starts-per-account'],
      ['startsPerRegion', 'starts-per-region'],
    ] as const) {
      const { meter, refused } = refusalMeter();
      const zone = region(t, { limits: { [limit]: 3 }, meter });
      // A function a caller: one that has a sandbox lets its callers wait for that.
      const reasons = await reasonsOf(zone, (caller) => ({ version: versionNamed(`f${caller}`) }));
      assert.deepEqual(reasons, [reason]);
      assert.equal(zone.worker.mostStarting, 3);
      assert.ok((refused.get(reason) ?? 0) >= CALLERS - 3);
    }
  });

  test('a worker that starts enough already refuses, by name and counted', async (t) => {
    const { meter, refused } = refusalMeter();
    const zone = region(t, { meter });
    zone.worker.startsAtOnce = 3;
    await reasonsOf(zone, (caller) => ({ version: versionNamed(`f${caller}`) }));
    assert.equal(zone.worker.mostStarting, 3);
    assert.ok((refused.get('starts-per-worker') ?? 0) >= CALLERS - 3 - 32);
  });
});
