import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { canaries } from './canaries.ts';
import { repositoryTexts } from './repository.ts';
import { isProduction } from './rule.ts';
import { rules } from './rules.ts';

const files = repositoryTexts();

test('the rules see the repository', () => {
  assert.ok(files.filter(isProduction).length > 300);
  assert.ok(files.filter(({ path, text }) => path.endsWith('.md') && text !== '').length > 10);
});

describe('the repository keeps its rules', () => {
  for (const { title, check } of rules) test(title, () => assert.deepEqual(check(files), []));
});

describe('each rule refuses what breaks it, and nothing else', () => {
  for (const { title, check } of rules) {
    test(title, () => {
      const { refused, accepted } = canaries[title] ?? { refused: [], accepted: [] };
      assert.ok(refused.length > 0 && accepted.length > 0, 'the rule has canaries of both kinds');
      for (const each of refused) assert.notDeepEqual(check(each), [], JSON.stringify(each));
      for (const each of accepted) assert.deepEqual(check(each), [], JSON.stringify(each));
    });
  }
  test('canaries of every rule are tried', () => {
    assert.deepEqual(Object.keys(canaries).sort(), rules.map(({ title }) => title).sort());
  });
});
