import type { FormEvent } from "react";
import { useStreamAction } from "yieldwire/react";
import { actions } from "./client";

/** An answer that is typed word by word, until it ends or is stopped. */
export function Chat() {
  const { execute, stop, status, text, error, trouble } = useStreamAction(actions.chat, { persist: "chat" });

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    void execute({ message: String(new FormData(event.currentTarget).get("message")) });
  }

  const says = {
    idle: "",
    streaming: trouble === undefined ? "Typing." : `Reconnecting. ${trouble}`,
    done: "Done.",
    cancelled: "Stopped.",
    error: error?.message,
  };

  return (
    <section id="chat" data-status={status}>
      <h2>Chat</h2>
      <form onSubmit={submit}>
        <input name="message" aria-label="Message" placeholder="Write a message" autoComplete="off" />
        <button type="submit">Send</button>
        <button type="button" disabled={status !== "streaming"} onClick={stop}>Stop</button>
      </form>
      <p className="answer">{text}</p>
      <p role="status">{says[status]}</p>
    </section>
  );
}
