// The function of an image; build.ts or the Dockerfile puts it beside Node and a runtime client.
let invokes = 0;

export const handler = async (event) => {
  invokes += 1;
  return { hello: event.name ?? 'world', node: process.version, invokes };
};
