const { ActionError, createClient } = require("yieldwire");

/** A server that answers each call with one stream. */
const answer = (...events) => async () =>
  new Response(events.map(([type, data], seq) => `id: r1.${seq}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`).join(""), {
    headers: { "Content-Type": "text/event-stream", "Run-Id": "r1" },
  });
const started = ["run", { id: "r1", status: "running" }];

test("a run streams", async () => {
  const fetch = jest.fn(answer(started, ["chunk", { type: "text", text: "one" }], ["done", { result: 1 }]));
  const run = createClient({ url: "http://localhost/api", fetch }).count({ to: 1 });

  expect(await run.result()).toBe(1);
  expect(run.text).toBe("one");
  expect(fetch.mock.calls[0][0]).toBe("http://localhost/api/count");
});

test("a run fails", async () => {
  const error = { code: "OUT_OF_CREDIT", message: "No credit left.", statusCode: 402 };
  const fetch = answer(started, ["error", error]);

  const failed = createClient({ url: "http://localhost/api", fetch }).count({ to: 1 }).result();

  await expect(failed).rejects.toThrow(ActionError);
  await expect(failed).rejects.toMatchObject({ code: "OUT_OF_CREDIT" });
});
