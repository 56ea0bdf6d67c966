import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../base/mod.ts';
import type { SaltSettings } from '../config/mod.ts';
import { chunkSalt } from '../seal/mod.ts';
import { currentSaltParts } from './salts.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const secret = Buffer.alloc(32, 7);
const region: SaltSettings = { scope: 'region', rotationDays: 0, placement: '' };

function salt(settings: SaltSettings, accountId: string, day: number, rootId = 'root'): string {
  const clock = new VirtualClock(day * DAY_MS);
  return chunkSalt(secret, currentSaltParts(settings, rootId, accountId, clock)).toString('hex');
}

test('accounts of a region share a salt, accounts by themselves do not', () => {
  assert.equal(salt(region, '1', 0), salt(region, '2', 0));
  const alone: SaltSettings = { ...region, scope: 'account' };
  assert.notEqual(salt(alone, '1', 0), salt(alone, '2', 0));
  assert.equal(salt(alone, '1', 0), salt(alone, '1', 0));
});

test('a salt lasts its period, and for ever where none is set', () => {
  const monthly: SaltSettings = { ...region, rotationDays: 30 };
  assert.equal(salt(monthly, '1', 0), salt(monthly, '1', 29.9));
  assert.notEqual(salt(monthly, '1', 29.9), salt(monthly, '1', 30));
  assert.equal(salt(region, '1', 0), salt(region, '1', 9999));
});

test('a placement and a root have salts of their own', () => {
  assert.notEqual(salt(region, '1', 0), salt({ ...region, placement: 'cell-2' }, '1', 0));
  assert.notEqual(salt(region, '1', 0), salt(region, '1', 0, 'next'));
});
