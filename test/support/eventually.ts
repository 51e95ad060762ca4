/** How long a test waits, in real time, for what must become true. */
const PATIENCE_MS = 5_000;

/** Asks again and again until the answer is accepted. @throws Error with the last answer after five seconds */
export async function eventually<T>(ask: () => Promise<T>, accept: (answer: T) => boolean): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (accept(answer)) return answer;
    if (performance.now() > deadline) throw new Error(`It is still ${JSON.stringify(answer)}.`);
  }
}
