import type { FormEvent } from "react";
import { useStreamAction } from "yieldwire/react";
import { actions } from "./client";

/** All tabs share this storage: each follows the same import, and any of them can stop it. */
const persist = { key: "import", storage: localStorage };

/** An import with progress. It continues when the tab is closed, and a reload shows it again. */
export function Import() {
  const { execute, stop, status, chunks, progress, result, error, trouble } =
    useStreamAction(actions.importContacts, { persist });

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const file = new FormData(event.currentTarget).get("file");
    if (file instanceof File) void execute({ file });
  }

  const count = progress ? `${progress.current} of ${progress.total}` : "Starting.";
  const says = {
    idle: "Choose a CSV file with the columns name and email.",
    streaming: trouble === undefined ? count : `Reconnecting. ${trouble}`,
    done: `${result?.imported} imported, ${result?.skipped} skipped.`,
    cancelled: "Stopped.",
    error: `${error?.message} (${error?.code})`,
  };

  return (
    <section id="import" data-status={status}>
      <h2>Import contacts</h2>
      <form onSubmit={submit}>
        <input type="file" name="file" accept=".csv" required aria-label="CSV file" />
        <button type="submit" disabled={status === "streaming"}>Import</button>
        <button type="button" disabled={status !== "streaming"} onClick={stop}>Stop</button>
      </form>
      <progress max={100} value={progress?.percent ?? 0} aria-label="Import" />
      <p role="status">{says[status]}</p>
      <ol>
        {[...chunks].reverse().map(({ current, message }) => <li key={current} value={current}>{message}</li>)}
      </ol>
    </section>
  );
}
