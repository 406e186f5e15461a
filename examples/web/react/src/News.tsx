import { useEffect } from "react";
import { useStreamAction } from "yieldwire/react";
import { actions } from "./client";

/** A feed: one run on the server for all readers. */
export function News() {
  const { execute, status, chunks, error, trouble } = useStreamAction(actions.headlines, { keep: 20, concurrent: "ignore" });

  useEffect(() => void execute({}, { method: "GET" }), [execute]);

  return (
    <section id="news" data-status={status}>
      <h2>News</h2>
      <p role="status">{trouble === undefined ? error?.message : `Reconnecting. ${trouble}`}</p>
      <ol>
        {[...chunks].reverse().map(({ number, title }) => <li key={number} value={number}>{title}</li>)}
      </ol>
    </section>
  );
}
