/** Prints where a peer listens, in the form that the bench waits for. */
export function announce(port) {
  console.log(`http://127.0.0.1:${port}`);
}
