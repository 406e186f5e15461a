// The TypeScript SDKs of the Model Context Protocol: version 1, and the client of version 2.
// `mcp:1` speaks the protocol of 2025, `mcp:2` that of 2026.

const SHAPES = {
  async 1(url, ask) {
    const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
    const { StreamableHTTPClientTransport } =
      await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
    const { ElicitRequestSchema } = await import("@modelcontextprotocol/sdk/types.js");
    const client = new Client(
      { name: "cases", version: "1" },
      { capabilities: ask ? { elicitation: {} } : {} },
    );
    if (ask) client.setRequestHandler(ElicitRequestSchema, (request) => ask(request.params));
    const transport = new StreamableHTTPClientTransport(new URL(url), {
      reconnectionOptions: {
        initialReconnectionDelay: 10,
        maxReconnectionDelay: 50,
        reconnectionDelayGrowFactor: 1,
        maxRetries: 5,
      },
    });
    await client.connect(transport);
    return { client, call: (params, options) => client.callTool(params, undefined, options) };
  },
  async 2(url, ask) {
    const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
    const client = new Client(
      { name: "cases", version: "1" },
      {
        capabilities: ask ? { elicitation: { form: {} } } : {},
        versionNegotiation: { mode: "auto" },
      },
    );
    if (ask) client.setRequestHandler("elicitation/create", (request) => ask(request.params));
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
    return { client, call: (params, options) => client.callTool(params, options) };
  },
};

export async function cases(url, version) {
  const open = (ask, at = "/mcp/") => SHAPES[version](url + at, ask);
  const { client, call } = await open();

  async function heard(name, args = {}, { with: use = call, ...options } = {}) {
    const progress = [];
    try {
      const result = await use(
        { name, arguments: args },
        { onprogress: ({ progress: at, total, message }) => progress.push([at, total, message]), ...options },
      );
      return { progress, ...result };
    } catch (error) {
      return { progress, thrown: error.message, code: error.code };
    }
  }

  const all = {
    version: () => client.getNegotiatedProtocolVersion?.() ?? client.transport.protocolVersion,
    async tools() {
      const { tools } = await client.listTools();
      return tools.map(({ name, inputSchema, outputSchema }) => ({
        name,
        fields: Object.keys(inputSchema.properties),
        output: outputSchema?.type,
      }));
    },
    progress: () => heard("work", { total: 3 }),
    single: () => heard("add", { a: 1, b: 2 }),
    text: () => heard("say", { text: "1 <✓\u2028>\n", times: 2 }),
    refused: () => heard("add", { a: "one" }),
    earlyError: () => heard("fail", { code: "OUT_OF_CREDIT" }),
    lateError: () => heard("fail_late"),
    crash: () => heard("fail"),
    unknown: () => heard("nothing"),
    idle: () => heard("pause"),
    unanswerable: () => heard("ask"),
    async cancel() {
      const controller = new AbortController();
      const key = `mcp${version}`;
      const call = heard("hang", { key }, { signal: controller.signal });
      await heard("await_start", { key });
      controller.abort("enough");
      const { structuredContent } = await heard("await_stop", { key });
      return { thrown: (await call).thrown, stopped: structuredContent.value };
    },
    async question() {
      const asked = [];
      const { call: use } = await open((params) => {
        asked.push(params);
        return { action: "accept", content: { value: true } };
      });
      return { asked, ...(await heard("decide", {}, { with: use })) };
    },
    async declined() {
      const { call: use } = await open(() => ({ action: "decline" }));
      return heard("decide", {}, { with: use });
    },
    async log() {
      const { _meta } = await call({ name: "say", arguments: { text: "ahoy", times: 2 } });
      const { contents } = await client.readResource({ uri: `yieldwire://runs/${_meta["yieldwire/run"]}` });
      return contents[0].text.trim().split("\n").map((line) => JSON.parse(line).type);
    },
  };
  if (version === "1") {
    all.resumed = async () => {
      const { call: use } = await open(undefined, "/cutcalls/mcp/");
      return heard("work_slowly", { total: 6 }, { with: use });
    };
    all.task = async () => {
      const { client: own } = await open((params) => ({ action: "accept", content: { value: true } }));
      const { tasks } = own.experimental;
      await own.listTools();
      const seen = [];
      const wanted = { name: "decide", arguments: {} };
      for await (const message of tasks.callToolStream(wanted, undefined, { task: { ttl: 60_000 } })) {
        seen.push(message);
      }
      const id = seen[0].task.taskId;
      const listed = await tasks.listTasks();
      return {
        types: seen.map((message) => message.type),
        result: seen.at(-1).result,
        state: (await tasks.getTask(id)).status,
        isListed: listed.tasks.some((task) => task.taskId === id),
      };
    };
    all.cancelledTask = async () => {
      const { tasks } = client.experimental;
      const key = "mcp-task";
      const wanted = { name: "hang", arguments: { key } };
      const stream = tasks.callToolStream(wanted, undefined, { task: {} });
      const { task } = (await stream.next()).value;
      await heard("await_start", { key });
      const before = (await tasks.getTask(task.taskId)).status;
      await tasks.cancelTask(task.taskId);
      await heard("await_stop", { key });
      return { before, after: (await tasks.getTask(task.taskId)).status };
    };
  }
  return all;
}
