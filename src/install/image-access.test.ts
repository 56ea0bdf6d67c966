import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError } from '../base/mod.ts';
import { type ImageChooser, imageAccess } from './image-access.ts';

const tenant = '111111111111';
const local = { [tenant]: ['/srv/images/a', '/srv/more/'] };
const access = (uri: string, accountId = tenant, chooser: ImageChooser = 'account') =>
  imageAccess(uri, accountId, chooser, { local });

test('a tenant can name host paths only in folders given to it', () => {
  const paths = ['/etc', '/srv/images/b', '/srv/images', '/srv/images/a/../b', '/srv/images/ab'];
  for (const path of [...paths, '/nowhere', 'relative', '/srv/images/a']) {
    for (const scheme of ['oci', 'oci-archive', 'docker-archive']) {
      const refused = (error: unknown) =>
        isSluiceError(error, 'IMAGE_REFERENCE_INVALID') &&
        error.message.startsWith(`${scheme}:${path}: account ${tenant} has no images`);
      assert.throws(() => access(`${scheme}:${path}`), refused);
    }
  }
  assert.throws(() => access('oci:/srv/images/a/x', '222222222222'));
  assert.deepEqual(access('oci:/srv/images/a/x'), { within: '/srv/images/a', isGuarded: true });
  assert.deepEqual(access('oci:/srv/more/y:tag'), { within: '/srv/more', isGuarded: true });
});

test("a tenant's registries are reached through the guard, the operator's are not", () => {
  assert.deepEqual(access('localhost:5000/x'), { isGuarded: true });
  for (const uri of ['localhost:5000/x', 'oci:/etc']) {
    assert.deepEqual(access(uri, '000000000000'), { isGuarded: false });
    assert.deepEqual(access(uri, tenant, 'operator'), { isGuarded: false });
  }
});
