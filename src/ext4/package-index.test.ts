import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PackageIndex } from './package-index.ts';

function debian(): PackageIndex {
  const packages = new PackageIndex();
  packages.addList(
    'var/lib/dpkg/info/libc6:amd64.list',
    '/.\n/lib\n/lib/libc.so.6\n/usr\n/usr/share\n/usr/share/doc\n/usr/share/doc/libc6\n',
  );
  packages.addList(
    'var/lib/dpkg/info/python3-flask.list',
    '/.\n/usr\n/usr/lib\n/usr/lib/python3/flask\n/usr/lib/python3/flask/app.py\n/usr/share\n',
  );
  packages.addList('var/lib/dpkg/info/other.list', '/usr/lib\n/lib\n');
  return packages;
}

test('a file belongs to the package that lists it, also below /usr since the merge', () => {
  assert.equal(debian().ownerOf('usr/lib/python3/flask/app.py'), 'python3-flask');
  assert.equal(debian().ownerOf('lib/libc.so.6'), 'libc6:amd64');
  assert.equal(debian().ownerOf('usr/lib/libc.so.6'), 'libc6:amd64');
});

test('what no package lists belongs to its source, its directory, or nobody', () => {
  const packages = debian();
  const compiled = 'usr/lib/python3/flask/__pycache__/app.cpython-311.pyc';
  assert.equal(packages.ownerOf(compiled), 'python3-flask');
  assert.equal(packages.ownerOf('usr/share/doc/libc6/made/here'), 'libc6:amd64');
  assert.equal(packages.ownerOf('usr/share/elsewhere'), undefined);
  assert.equal(packages.ownerOf('var/lib/dpkg/info/python3-flask.postinst'), 'python3-flask');
  assert.equal(packages.ownerOf('var/lib/dpkg/info/unknown.postinst'), undefined);
});

test('only what one package lists by its path comes out of that package', () => {
  const packages = debian();
  assert.ok(packages.lists('usr/lib/libc.so.6') && packages.lists('usr/share/doc/libc6'));
  assert.ok(!packages.lists('usr/lib'), 'several list it');
  assert.ok(!packages.lists('usr/lib/python3/flask/__pycache__/app.cpython-311.pyc'));
  assert.ok(!packages.isEmpty && new PackageIndex().isEmpty);
});

test("Alpine's one file lists all packages", () => {
  const packages = new PackageIndex();
  const database =
    'P:musl\nV:1\nF:lib\nR:ld-musl.so.1\nZ:x\n\nP:busybox\nF:bin\nR:busybox\nF:etc\n';
  packages.addList('lib/apk/db/installed', database);
  assert.equal(packages.ownerOf('lib/ld-musl.so.1'), 'musl');
  assert.equal(packages.ownerOf('bin/busybox'), 'busybox');
  assert.equal(packages.ownerOf('opt/none'), undefined);
});

test('only the lists of package managers are read', () => {
  assert.ok(PackageIndex.isList('var/lib/dpkg/info/libc6:amd64.list'));
  assert.ok(PackageIndex.isList('lib/apk/db/installed'));
  assert.ok(!PackageIndex.isList('var/lib/dpkg/info/libc6:amd64.md5sums'));
  assert.ok(!PackageIndex.isList('usr/var/lib/dpkg/info/libc6.list'));
});
