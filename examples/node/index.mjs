// A streamed answer: `bin/sluice function create count --zip examples/node`
import { setTimeout as sleep } from 'node:timers/promises';

const COUNT_TO = 3;

export const handler = awslambda.streamifyResponse(async (event, stream, context) => {
  console.log('counting for', context.awsRequestId);
  stream.setContentType('text/plain');
  for (let n = 1; n <= (event.to ?? COUNT_TO); n++) {
    stream.write(`${n}\n`);
    await sleep(10);
  }
  stream.end();
});
