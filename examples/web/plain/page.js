/** The four parts of the page, without a framework and without a build. */

import { createClient } from "/api/_actions/client.js";

const actions = createClient({ url: "/api/_actions" });

/**
 * A section of the page, which shows one run at a time.
 *
 * `show` is called for every change: with the new events, and the state of the run.
 * With a `storage` the run's id is kept there, and a reload shows the run again.
 */
class Card {
  #run;

  constructor(id, { start, show, storage }) {
    Object.assign(this, { id, show, storage, section: document.getElementById(id) });
    this.stop = this.find("button[type=button]");
    this.stop?.addEventListener("click", () => this.#run.stop());
    this.find("form")?.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.section.dataset.status === "streaming") void this.#run.stop();
      this.follow(start(new FormData(event.currentTarget)));
    });
    const kept = storage?.getItem(id);
    if (kept) this.follow(actions.runs.attach(kept));
  }

  find(selector) {
    return this.section.querySelector(selector);
  }

  say(text) {
    this.find("[role=status]").textContent = text;
  }

  async follow(run) {
    this.#run = run;
    this.find("ol")?.replaceChildren();
    let state = { status: "streaming" };
    const tell = (events) => this.#run === run && this.#tell({ run, events, ...state }); // unless it was replaced
    run.subscribe(tell);
    try {
      state = { status: "done", result: await run.result() };
    } catch (error) {
      state = { status: error.code === "CANCELLED" ? "cancelled" : "error", error };
    }
    tell([]);
  }

  #tell(state) {
    const { run, status, error } = state;
    if (error?.code === "NOT_FOUND") this.storage?.removeItem(this.id); // the server has deleted it
    else if (run.id) this.storage?.setItem(this.id, run.id);
    this.section.dataset.status = status;
    if (this.stop) this.stop.disabled = status !== "streaming";
    this.show(state);
  }
}

const chunksOf = (events) => events.filter(({ type }) => type === "chunk").map(({ data }) => data);

/** Put a line at the top of a list. */
function prepend(list, value, textContent) {
  list.prepend(Object.assign(document.createElement("li"), { value, textContent }));
}

const imports = new Card("import", {
  storage: localStorage, // shared by all tabs: each follows the same import, and any of them can stop it
  start: (form) => actions.importContacts({ file: form.get("file") }),
  show({ run, events, status, result, error }) {
    const { progress, trouble } = run;
    const count = progress ? `${progress.current} of ${progress.total}` : "Starting.";
    imports.find("progress").value = progress?.percent ?? 0;
    for (const { current, message } of chunksOf(events)) prepend(imports.find("ol"), current, message);
    imports.say({
      streaming: trouble === undefined ? count : `Reconnecting. ${trouble}`,
      done: `${result?.imported} imported, ${result?.skipped} skipped.`,
      cancelled: "Stopped.",
      error: `${error?.message} (${error?.code})`,
    }[status]);
  },
});

const chat = new Card("chat", {
  storage: sessionStorage,
  start: (form) => actions.chat({ message: form.get("message") }),
  show({ run, status, error }) {
    const { text, trouble } = run;
    chat.find(".answer").textContent = text;
    chat.say({
      streaming: trouble === undefined ? "Typing." : `Reconnecting. ${trouble}`,
      done: "Done.",
      cancelled: "Stopped.",
      error: error?.message,
    }[status]);
  },
});

const news = new Card("news", {
  show({ run, events, error }) {
    for (const { number, title } of chunksOf(events)) prepend(news.find("ol"), number, title);
    news.say(run.trouble === undefined ? (error?.message ?? "") : `Reconnecting. ${run.trouble}`);
  },
});
news.follow(actions.headlines({}, { method: "GET" }));

const order = new Card("order", {
  start: (form) =>
    actions.placeOrder({
      customer: { name: form.get("customer.name"), email: form.get("customer.email") },
      items: [{ product: form.get("items.0.product"), quantity: Number(form.get("items.0.quantity")) }],
    }),
  show({ result, error }) {
    for (const label of order.section.querySelectorAll("label")) {
      const problems = error?.fieldErrors?.[label.control.name];
      label.control.ariaInvalid = String(problems !== undefined);
      label.querySelector("small").textContent = problems?.join(" ") ?? "";
    }
    // The code tells the action's own errors apart.
    order.say(result?.text ?? (error?.code === "SOLD_OUT" ? "Sold out. Choose another product." : (error?.message ?? "")));
  },
});
