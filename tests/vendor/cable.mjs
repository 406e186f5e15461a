// A connection that breaks when a case wants it to, and what several clients' cases share.
import net from "node:net";

/** A server in between, at `url`, whose `cut()` breaks every connection that is open. */
export async function cable(server) {
  const { hostname, port } = new URL(server);
  const sockets = new Set();
  const between = net.createServer((near) => {
    const far = net.connect(port, hostname);
    for (const [one, other] of [[near, far], [far, near]]) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => (sockets.delete(one), other.destroy()));
      one.pipe(other);
    }
  });
  await new Promise((resolve) => between.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${between.address().port}`,
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    close: () => between.close(),
  };
}

/** Wait until something is so. */
export async function until(isSo) {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** What a case can ask of the server besides its client. */
export function aside(server) {
  /** How a run has ended. */
  async function ended(id) {
    const answer = await fetch(`${server}/native/runs/${id}?wait=10`);
    const { status } = await answer.json();
    return ["pending", "running"].includes(status) ? ended(id) : status;
  }
  /** Open a gate at which actions wait. */
  const open = (gate) => fetch(`${server}/open/${gate}`, { method: "POST" });
  return { ended, open };
}
