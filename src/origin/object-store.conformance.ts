import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import type { ObjectStore } from './object-store.ts';
import { collect } from './origin.fixture.ts';

/** What every place for objects must do; `open` answers an empty one, or undefined to skip. */
export function objectStoreConformance(
  name: string,
  open: (t: TestContext) => Promise<ObjectStore | undefined>,
): void {
  const check = (what: string, body: (store: ObjectStore) => Promise<void>): void => {
    test(`${name}: ${what}`, async (t) => {
      const store = await open(t);
      if (store) await body(store);
    });
  };

  check('gets back what was put, byte for byte, also nothing at all', async (store) => {
    for (const bytes of [randomBytes(524_288), Buffer.alloc(0), Buffer.from([0])]) {
      const key = `roots/r/chunks/00/${bytes.length}`;
      assert.equal(await store.putIfAbsent(key, bytes), 'stored');
      assert.deepEqual(await store.get(key), bytes);
    }
    assert.equal(await store.get('roots/r/chunks/00/none'), undefined);
  });

  check('keeps the first of two puts if absent, and the last of two replaces', async (store) => {
    assert.equal(await store.putIfAbsent('state/r/a', Buffer.from('first')), 'stored');
    assert.equal(await store.putIfAbsent('state/r/a', Buffer.from('second')), 'present');
    assert.equal(String(await store.get('state/r/a')), 'first');
    await store.replace('state/r/a', Buffer.from('third'));
    await store.replace('state/r/a', Buffer.from('4th'));
    assert.equal(String(await store.get('state/r/a')), '4th');
  });

  check('lets exactly one of many puts at once win', async (store) => {
    const bodies = Array.from({ length: 12 }, (_, i) => Buffer.alloc(70_000, i));
    const puts = bodies.map((body) => store.putIfAbsent('state/r/race', body));
    const outcomes = await Promise.all(puts);
    assert.equal(outcomes.filter((outcome) => outcome === 'stored').length, 1);
    const winner = bodies[outcomes.indexOf('stored')];
    assert.deepEqual(await store.get('state/r/race'), winner);
  });

  check("does not keep hold of the caller's buffer, nor hand out its own", async (store) => {
    const bytes = Buffer.from('mine');
    await store.putIfAbsent('state/r/buffer', bytes);
    bytes.fill(0);
    (await store.get('state/r/buffer'))?.fill(1);
    assert.equal(String(await store.get('state/r/buffer')), 'mine');
  });

  check('lists keys below a prefix in order, without neighbours', async (store) => {
    const keys = ['a/b/1', 'a/b/2', 'a/b-c/1', 'a/b.c', 'a/c/10', 'a/c/9', 'ab/1', 'b/1'];
    for (const key of keys) await store.putIfAbsent(key, Buffer.from(key));
    assert.deepEqual(await collect(store.list('a/b/')), ['a/b/1', 'a/b/2']);
    const below = keys.filter((key) => key.startsWith('a/')).sort();
    assert.deepEqual(await collect(store.list('a/')), below);
    for (const [index, key] of below.entries()) {
      assert.deepEqual(await collect(store.list('a/', key)), below.slice(index + 1));
    }
    assert.deepEqual(await collect(store.list('none/')), []);
    assert.deepEqual(await store.usage('a/c/'), { objects: 2, bytes: 11 });
    assert.deepEqual(await store.usage('none/'), { objects: 0, bytes: 0 });
  });

  check('removes what is there and minds nothing that is not', async (store) => {
    await store.putIfAbsent('a/1', Buffer.from('x'));
    await store.putIfAbsent('a/2', Buffer.from('x'));
    await store.remove(['a/1', 'a/none']);
    await store.remove([]);
    assert.deepEqual(await collect(store.list('a/')), ['a/2']);
    assert.equal(await store.putIfAbsent('a/1', Buffer.from('new')), 'stored');
    assert.equal(String(await store.get('a/1')), 'new');
  });

  check('puts into a folder that others empty at the same time', async (store) => {
    const emptying = async () => {
      for (let i = 0; i < 60; i++) {
        await store.putIfAbsent('f/g/other', Buffer.from('x'));
        await store.remove(['f/g/other']);
      }
    };
    const putting = async () => {
      for (let i = 0; i < 60; i++) {
        assert.equal(await store.putIfAbsent(`f/g/${i}`, Buffer.from('x')), 'stored');
        if (i % 3 === 0) await store.remove([`f/g/${i}`]);
        else assert.ok(await store.get(`f/g/${i}`));
        if (i % 10 === 9) await store.remove(Array.from({ length: i }, (_, k) => `f/g/${k}`));
      }
    };
    await Promise.all([emptying(), putting()]);
  });

  check('settles keys that are there and keys that are not', async (store) => {
    await store.putIfAbsent('a/b/1', Buffer.from('x'));
    await store.settle(['a/b/1', 'a/c/1']);
    assert.equal(String(await store.get('a/b/1')), 'x');
  });

  check('stops at once for an aborted signal', async (store) => {
    await store.putIfAbsent('a/1', Buffer.from('x'));
    const reason = new Error('not wanted any more');
    await assert.rejects(store.get('a/1', AbortSignal.abort(reason)), reason);
  });

  check('refuses keys that climb out', async (store) => {
    for (const key of ['../up', 'a/../../up', '/root', 'a//b', 'a/', '']) {
      await assert.rejects(store.putIfAbsent(key, Buffer.from('x')), { code: 'INTERNAL' }, key);
    }
  });
}
