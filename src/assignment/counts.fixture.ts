import assert from 'node:assert/strict';
import { type LinkedList, valuesOf } from './linked-list.ts';
import type { AssignmentState, LeaseRecord, SandboxRecord, VersionState } from './state.ts';

const isStarting = ({ phase }: SandboxRecord) => phase === 'placing' || phase === 'starting';

/** The members, with every link of the list looked at from both sides. */
function walked<T>(list: LinkedList<T>): T[] {
  const values: T[] = [];
  let previous: LinkedList<T>['first'];
  for (let node = list.first; node; node = node.next) {
    assert.equal(node.list, list);
    assert.equal(node.previous, previous);
    values.push(node.value);
    previous = node;
  }
  assert.equal(list.last, previous);
  assert.equal(list.length, values.length);
  assert.deepEqual(valuesOf(list), values);
  return values;
}

function leasesOf(version: VersionState): LeaseRecord[] {
  const atWork = [...version.sandboxes].flatMap(({ lease }) => (lease ? [lease] : []));
  return [...walked(version.waiting), ...atWork];
}

function countVersion(version: VersionState, settling: ReadonlySet<SandboxRecord>) {
  const all = [...version.sandboxes];
  const leases = leasesOf(version);
  const provisioned = all.filter((each) => each.provisioned);
  return {
    inFlight: leases.length,
    unreserved: leases.filter(({ pool }) => pool === 'unreserved').length,
    provisionedInFlight: leases.filter(({ pool }) => pool === 'provisioned').length,
    starting: all.filter((each) => isStarting(each) && !each.provisioned).length,
    startingOfAll: all.filter(isStarting).length,
    settlingSoon: all.filter((each) => settling.has(each)).length,
    provisionedMade: provisioned.length,
    provisionedUp: provisioned.filter((each) => !isStarting(each)).length,
    occupied: all.filter((each) => each.phase !== 'idle' && !(each.provisioned && isStarting(each)))
      .length,
  };
}

type Counted = ReturnType<typeof countVersion>;

const sumOf = (counts: readonly Counted[], name: keyof Counted) =>
  counts.reduce((sum, each) => sum + each[name], 0);

/** Counts all that a state keeps count of once more, from the sandboxes and leases themselves. */
export function checkCounted(state: AssignmentState): void {
  const idle = walked(state.allIdle);
  const settling = new Set(walked(state.allSettling));
  const waiting = walked(state.allWaiting);
  assert.deepEqual(waiting, [...state.waiting.values()]);
  const counts = new Map<VersionState, Counted>();
  for (const [key, version] of state.versions) {
    const counted = countVersion(version, settling);
    counts.set(version, counted);
    const { unreserved: _, startingOfAll: __, occupied: ___, ...kept } = counted;
    for (const [name, count] of Object.entries(kept)) {
      assert.equal(version[name as keyof typeof kept], count, `${key}: ${name}`);
    }
    const ownIdle = [...version.sandboxes].filter(({ phase }) => phase === 'idle');
    const listed = [...walked(version.idle), ...walked(version.idleProvisioned)];
    assert.deepEqual(new Set(listed), new Set(ownIdle), 'what is idle can be found');
    assert.ok(walked(version.idle).every((each) => idle.includes(each) && !each.provisioned));
    const isUsed = kept.inFlight > 0 || version.sandboxes.size > 0 || version.provisionedTarget > 0;
    assert.ok(isUsed, `${key}: nothing refers to it, and it is not forgotten`);
    assert.ok(state.versionsByArn.get(version.ref.versionArn)?.has(version));
  }
  const byArn = [...state.versionsByArn.values()];
  assert.ok(byArn.every(({ size }) => size > 0));
  assert.equal(byArn.flatMap((versions) => [...versions]).length, state.versions.size);
  checkOwners(state, counts);
  const all = [...counts.values()];
  assert.equal(state.inFlight, sumOf(all, 'inFlight'));
  assert.equal(state.starting, sumOf(all, 'startingOfAll'));
  assert.equal(idle.length, [...state.versions.values()].flatMap((v) => walked(v.idle)).length);
  for (const { phase } of settling) assert.equal(phase, 'settling');
  for (const worker of state.workers.values()) {
    for (const sandbox of worker.sandboxes) {
      assert.equal(sandbox.worker, worker);
      assert.equal(state.sandboxes.get(sandbox.sandboxId), sandbox);
    }
  }
}

function checkOwners(state: AssignmentState, counts: ReadonlyMap<VersionState, Counted>): void {
  const versions = [...state.versions.values()];
  const countsOf = (own: (version: VersionState) => boolean) =>
    versions.filter(own).flatMap((version) => counts.get(version) ?? []);
  for (const owner of state.functions.values()) {
    const own = versions.filter((version) => version.function === owner);
    const counted = countsOf((version) => version.function === owner);
    const { functionArn, inFlight, provisionedInFlight, occupied, provisioned } = owner;
    assert.equal(owner.versions, own.length);
    assert.deepEqual(
      { functionArn, inFlight, provisionedInFlight, occupied, provisioned },
      {
        functionArn,
        inFlight: sumOf(counted, 'inFlight'),
        provisionedInFlight: sumOf(counted, 'provisionedInFlight'),
        occupied: sumOf(counted, 'occupied'),
        provisioned: own.reduce((sum, each) => sum + each.provisionedTarget, 0),
      },
    );
  }
  for (const account of state.accounts.values()) {
    const counted = countsOf((version) => version.account === account);
    const own = versions.filter((version) => version.account === account);
    assert.deepEqual(account, {
      accountId: account.accountId,
      inFlight: sumOf(counted, 'inFlight'),
      unreservedInFlight: sumOf(counted, 'unreserved'),
      starting: sumOf(counted, 'startingOfAll'),
      functions: new Set(own.map((version) => version.function)).size,
    });
  }
}
