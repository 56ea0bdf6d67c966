export { isApiError } from './api-error.ts';
export { Frontend, type FrontendOptions } from './frontend.ts';
export type { Services } from './services.ts';
