// The first release of version 5, whose parser refuses every key that it does not know.
import { DefaultChatTransport } from "ai500";

export async function cases(server) {
  const all = {};
  const add = (name, play) => (all[name] = play);

  add("every chunk", async () => {
    const told = { types: [], failed: [] };
    const transport = new DefaultChatTransport({ api: `${server}/v5/chat` });
    const messages = [{ id: "m", role: "user", parts: [{ type: "text", text: "parts" }] }];
    const stream = await transport.sendMessages({ chatId: "strict", messages, trigger: "submit-message" });
    try {
      for await (const chunk of stream) told.types.push(chunk.type);
    } catch (error) {
      told.failed.push(String(error));
    }
    return told;
  });

  return all;
}
