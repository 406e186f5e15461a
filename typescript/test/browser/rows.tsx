/** A list of rows that come faster than anybody paints; what the page was like meanwhile is in `page`. */

import { useLayoutEffect } from "react";
import { createRoot } from "react-dom/client";
import { type Action, createClient } from "../../src/index.js";
import { useStreamAction } from "../../src/react.js";

interface Row {
  readonly type: "row";
  readonly number: number;
  readonly name: string;
}
interface Actions {
  readonly rows: Action<{ count: number }, Row, number>;
}

const page = { commits: 0, pictures: 0, heard: 0, isInOrder: true };
const actions = createClient<Actions>({ url: "/api/_actions" });

Object.assign(window, { page });
requestAnimationFrame(function count() {
  page.pictures += 1;
  requestAnimationFrame(count);
});

function hear({ number }: Row): void {
  page.heard += 1;
  page.isInOrder &&= number === page.heard;
}

function Rows() {
  const { execute, status, chunks, dropped, data, result } = useStreamAction(actions.rows, { onChunk: hear });
  useLayoutEffect(() => {
    page.commits += 1;
  });

  return (
    <main>
      <button onClick={() => execute({ count: Number(location.hash.slice(1)) })}>Load</button>
      <output>{status} {result} {data?.number}</output>
      <ol start={dropped + 1}>
        {chunks.map((row, index) => <li key={dropped + index}>{row.name}</li>)}
      </ol>
    </main>
  );
}

createRoot(document.querySelector("#app")!).render(<Rows />);
