// Waiting before the next try.

/** The first wait and the longest one, in milliseconds. */
const FIRST = 500;
const LONGEST = 15_000;

/** How long to wait after so many failures: twice as long each time, and never the same as everybody else. */
export function backoff(failures) {
  return Math.min(LONGEST, FIRST * 2 ** failures) * (0.5 + Math.random() / 2);
}

/** Wait. The network's return, or `hurry()` on the promise, ends the wait early. */
export function pause(ms) {
  let hurry;
  const over = new Promise((resolve) => {
    const timer = setTimeout(() => hurry(), ms);
    hurry = () => {
      clearTimeout(timer);
      removeEventListener('online', hurry);
      resolve();
    };
    addEventListener('online', hurry);
  });
  return Object.assign(over, { hurry });
}

/** `work`, never twice at once: asked for while it is under way, it is done once more afterwards. */
export function oneAtATime(work) {
  let running = null;
  let again = false;
  return () => {
    again = true;
    running ??= (async () => {
      let result;
      while (again) {
        again = false;
        result = await work();
      }
      return result;
    })().finally(() => (running = null));
    return running;
  };
}
