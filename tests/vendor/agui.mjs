// `HttpAgent` of @ag-ui/client.
import { randomUUID } from "node:crypto";

// After a cut connection the client also rejects a promise that nobody has.
process.on("unhandledRejection", (error) => {
  if (error?.message !== "terminated") throw error;
});

export async function cases(url) {
  const { HttpAgent, buildResumeArray } = await import("@ag-ui/client");

  const agentAt = (path, options = {}) =>
    new HttpAgent({ url: url + path, threadId: randomUUID(), ...options });

  async function run(agent, options = {}) {
    const heard = { types: [], error: null };
    const subscriber = {
      onEvent: ({ event }) => void heard.types.push(event.type),
      onRunErrorEvent: ({ event }) => void (heard.error = { message: event.message, code: event.code }),
      onRunFinishedEvent: ({ event }) => void (heard.outcome = event.outcome?.type),
      onCustomEvent: ({ event }) => void (heard.custom = [event.name, event.value]),
    };
    try {
      heard.result = (await agent.runAgent(options, subscriber)).result;
    } catch (error) {
      heard.thrown = { message: error.message, status: error.status, payload: error.payload };
    }
    heard.messages = agent.messages.map(({ id, ...message }) => message);
    return heard;
  }

  const call = (name, input = {}) => run(agentAt(`/agui/${name}`), { forwardedProps: input });

  async function asked(answers) {
    const agent = agentAt("/agui/delete");
    const first = await run(agent);
    const [interrupt] = agent.pendingInterrupts;
    const resume = buildResumeArray([interrupt], { [interrupt.id]: answers });
    return { interrupt, first, second: await run(agent, { resume }) };
  }

  return {
    async parts() {
      const agent = agentAt("/agui/assist", {
        initialMessages: [{ id: "u1", role: "user", content: "Will it rain?" }],
      });
      const heard = await run(agent, { forwardedProps: { tone: "Well: " } });
      return { ...heard, state: agent.state };
    },
    single: () => call("add", { a: 1, b: 2 }),
    text: () => call("say", { text: "$1 <✓\u2028>\n", times: 2 }),
    idle: () => call("pause"),
    refused: () => call("add", { a: "one" }),
    earlyError: () => call("fail", { code: "OUT_OF_CREDIT" }),
    lateError: () => call("fail_late"),
    cut: () => run(agentAt("/cut/agui/say")),
    approved: () => asked({ status: "resolved", payload: { approved: true } }),
    declined: () => asked({ status: "cancelled" }),
    async question() {
      const agent = agentAt("/agui/decide");
      const first = await run(agent);
      const [interrupt] = agent.pendingInterrupts;
      const resume = [{ interruptId: interrupt.id, status: "resolved", payload: true }];
      return { interrupt, first, second: await run(agent, { resume }) };
    },
    async stop() {
      const agent = agentAt("/agui/hang");
      const running = run(agent, { forwardedProps: { key: "agui" } });
      await call("await_start", { key: "agui" });
      agent.abortRun();
      const stopped = await call("await_stop", { key: "agui" });
      return { stopped: stopped.result, types: (await running).types };
    },
    async reload() {
      const agent = agentAt("/kept/agui/hang");
      const running = run(agent, { forwardedProps: { key: "agui-kept" } });
      await call("await_start", { key: "agui-kept" });
      agent.abortRun();
      await running;
      class Attached extends HttpAgent {
        requestInit() {
          return { method: "GET", headers: { accept: "text/event-stream" }, signal: this.abortController.signal };
        }
      }
      const place = `${url}/kept/agui/hang/${agent.threadId}/stream`;
      const attached = new Attached({ url: place, threadId: agent.threadId });
      let isStopped = false;
      const heard = { types: [] };
      await attached.runAgent({}, {
        onTextMessageContentEvent: async () => {
          if (!isStopped) await fetch(place, { method: "DELETE" });
          isStopped = true;
        },
        onRunFinishedEvent: ({ event }) => void (heard.outcome = event.outcome.type),
        onEvent: ({ event }) => void heard.types.push(event.type),
      });
      heard.messages = attached.messages.map(({ id, ...message }) => message);
      heard.after = (await fetch(place)).status;
      return heard;
    },
  };
}
