// What the openai client for Node sees of the server, as one JSON object on stdout. Usage: node client.mjs URL KEY
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const model = "agentic/chat";
const ask = (content) => [{ role: "user", content }];
const tools = [
  {
    type: "function",
    function: {
      name: "weather",
      parameters: { type: "object", properties: { town: { type: "string" } }, required: ["town"] },
    },
  },
];
const seen = {};

const whole = await client.chat.completions.create({ model, messages: ask("hello") });
seen.whole = whole.choices[0].message.content;

seen.streamed = "";
const stream = await client.chat.completions.create({
  model,
  messages: ask("hello"),
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  seen.streamed += chunk.choices[0]?.delta?.content ?? "";
  if (chunk.usage) seen.usage = chunk.usage.total_tokens;
}

const runner = client.chat.completions.stream({ model, messages: ask("use a tool"), tools });
const called = (await runner.finalChatCompletion()).choices[0];
seen.finish = called.finish_reason;
seen.call = called.message.tool_calls[0].function;

const continued = await client.chat.completions.create({
  model,
  tools,
  messages: [
    ...ask("use a tool"),
    called.message,
    { role: "tool", tool_call_id: called.message.tool_calls[0].id, content: "sunny" },
  ],
});
seen.continued = continued.choices[0].message.content;

const parsed = await client.chat.completions.parse({
  model,
  messages: ask("a thing"),
  response_format: zodResponseFormat(z.object({ name: z.string(), size: z.number() }), "thing"),
});
seen.parsed = parsed.choices[0].message.parsed;

const functions = tools.map((tool) => ({ type: "function", strict: false, ...tool.function }));
const responding = client.responses.stream({ model, input: "use a tool", tools: functions });
seen.events = [];
for await (const event of responding) seen.events.push(event.type);
const response = await responding.finalResponse();
const call = response.output.find((item) => item.type === "function_call");
const responded = await client.responses.create({
  model,
  tools: functions,
  previous_response_id: response.id,
  input: [{ type: "function_call_output", call_id: call.call_id, output: "sunny" }],
});
seen.response = responded.output_text;
seen.vector = (await client.embeddings.create({ model: "nomic", input: "hello" })).data[0].embedding.length;

seen.models = [];
for await (const one of client.models.list()) seen.models.push(one.id);

try {
  await client.chat.completions.create({ model: "no-such-model", messages: ask("hello") });
} catch (error) {
  seen.error = { name: error.constructor.name, status: error.status, code: error.code, param: error.param };
}

try {
  const failing = await client.chat.completions.create({ model, messages: ask("break"), stream: true });
  seen.broken = "";
  for await (const chunk of failing) seen.broken += chunk.choices[0]?.delta?.content ?? "";
} catch (error) {
  seen.midstream = { name: error.constructor.name, code: error.code };
}

console.log(JSON.stringify(seen));
