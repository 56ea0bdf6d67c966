export { Frontend } from './frontend.ts';
