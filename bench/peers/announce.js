/** Says where a peer listens, as the bench waits for it. */
export function announce(port) {
  console.log(`http://127.0.0.1:${port}`);
}
