import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/mod.ts';
import { traceIdOf } from './trace-id.ts';

const of = (header?: string) => {
  const headers = header === undefined ? {} : { 'x-amzn-trace-id': header };
  return traceIdOf({ headers }, new SeededRandom(1), 0x5759e988 * 1000);
};
const root = '1-5759e988-bd862e3fe1be46a994272793';

test('a trace that nobody began has a root of now, a parent, and is not sampled', () => {
  const made = /^Root=1-5759e988-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$/;
  for (const header of [undefined, '', 'no fields', 'Root', 'Sampled=?', 'ü=1']) {
    assert.match(of(header), made, String(header));
  }
});

test('what a caller says of its trace is kept, and what it leaves out is added', () => {
  const full = `Root=${root};Parent=53995c3f42cd8ad8;Sampled=1`;
  assert.equal(of(full), full);
  assert.equal(of(`${full};Lineage=1:a87bd80c:0`), `${full};Lineage=1:a87bd80c:0`);
  assert.equal(of(`Sampled=1; Parent=53995c3f42cd8ad8; Root=${root}`), full);
  const parented = new RegExp(`^Root=${root};Parent=[0-9a-f]{16};Sampled=`);
  assert.match(of(`Root=${root};Sampled=1`), new RegExp(`${parented.source}1$`));
  assert.match(of(`Root=${root};Sampled=?`), new RegExp(`${parented.source}0$`));
  assert.match(of(`Self=1-2-3;Root=${root}`), new RegExp(`${parented.source}0;Self=1-2-3$`));
});
