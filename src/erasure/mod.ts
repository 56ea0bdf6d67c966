export { ErasureCode, type ErasureCodeOptions } from './erasure-code.ts';
