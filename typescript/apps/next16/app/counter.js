"use client";

import { createClient } from "yieldwire";
import { useStreamAction } from "yieldwire/react";

const client = createClient({ url: "/api/_actions" });

export function Counter() {
  const { execute, status } = useStreamAction(client.count);
  return <button onClick={() => execute({ to: 3 })}>{status}</button>;
}
