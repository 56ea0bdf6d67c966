import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError } from '../base/mod.ts';
import { changeSetting, fileSystemDirectory } from './mod.ts';

const arnOf = (name: string, account = '111122223333') =>
  `arn:aws:elasticfilesystem:us-east-1:${account}:access-point/${name}`;
const [operator, tenant] = ['000000000000', '111122223333'];

test('a directory stands for an access point by its ARN or its name, for the accounts that are listed', (t) => {
  const file = join(temporaryDirectory(t), 'config.json');
  changeSetting(file, 'filesystems.shared', '/srv/shared');
  changeSetting(file, `filesystems.${arnOf('fsap-1')}`, '/srv/one');
  const { filesystems } = changeSetting(file, 'filesystems.team', {
    directory: '/srv/team',
    accounts: [tenant],
  });
  const find = (accountId: string, arn: string) => fileSystemDirectory(filesystems, accountId, arn);
  assert.equal(find(operator, arnOf('shared')), '/srv/shared');
  assert.equal(
    find(tenant, arnOf('shared')),
    undefined,
    'the operator’s alone unless it says more',
  );
  assert.equal(find(operator, arnOf('fsap-1')), '/srv/one');
  assert.equal(find(operator, arnOf('fsap-1', '999999999999')), undefined, 'another ARN');
  assert.equal(find(tenant, arnOf('team')), '/srv/team');
  assert.equal(find(operator, arnOf('team')), undefined);
  assert.equal(find(operator, arnOf('toString')), undefined);
});

test('a directory is an absolute path, an access point has a name', (t) => {
  const file = join(temporaryDirectory(t), 'config.json');
  const refused = (name: string, value: unknown) =>
    assert.throws(
      () => changeSetting(file, `filesystems.${name}`, value),
      (error) => isSluiceError(error, 'CONFIG_INVALID'),
    );
  refused('shared', 'srv');
  refused('a/b', '/srv');
  refused('shared', { directory: '/srv', accounts: [] });
});
