let invokes = 0;

export async function hello(event) {
  invokes += 1;
  return {
    greeting: `Hello, ${event.name ?? 'world'}!`,
    node: process.version,
    invokesOfThisSandbox: invokes,
  };
}
