export { ErasureCode } from './erasure-code.ts';
