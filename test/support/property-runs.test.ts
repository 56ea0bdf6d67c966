import assert from 'node:assert/strict';
import { test } from 'node:test';
import { propertyRuns } from './property-runs.ts';

test('a property runs as often as it says, times the scale, and once at least', () => {
  assert.equal(propertyRuns(300, 1), 300);
  assert.equal(propertyRuns(300, 20), 6000);
  assert.equal(propertyRuns(8, 0.3), 2);
  assert.equal(propertyRuns(1, 0.1), 1);
});
