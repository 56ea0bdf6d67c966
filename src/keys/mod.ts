export {
  HeldKeys,
  holdKeys,
  type KeyCustody,
  type NewDataKey,
} from './key-custody.ts';
export { KEY_PROGRAM, KeyProcess } from './key-process.ts';
export { openKeyService } from './key-services.ts';
