// The client that the conformance suite starts, once for each scenario, with its server's address as
// the last argument. It is npm @modelcontextprotocol/client and does what the scenario expects of a
// plain client, no more.
//
//   node --import ../world/packages.mjs client.mjs URL
//
// Alone it goes to the address itself. With HOST_COMMAND (a list in JSON) it starts that program as
// its stdio server instead; `{config}` in the list becomes the path of a file made from the template
// HOST_CONFIG, in which `{url}` stands for the address and `{name}` for a name of the server. Tools and
// prompts are then called by that name, two underscores and their own, which is how chaperone shows them.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const url = new URL(process.argv.at(-1));
const revision = process.env.MCP_CONFORMANCE_PROTOCOL_VERSION;
const scenario = process.env.MCP_CONFORMANCE_SCENARIO;
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');
const command = process.env.HOST_COMMAND && JSON.parse(process.env.HOST_COMMAND);
// What chaperone remembers of a server, it remembers by name; each address has its own.
const server = `peer-${url.port}`;
const prefix = command ? `${server}__` : '';

function configure(directory) {
  const template = fs.readFileSync(process.env.HOST_CONFIG, 'utf8');
  const file = path.join(directory, 'config.toml');
  fs.writeFileSync(file, template.replaceAll('{url}', url.href).replaceAll('{name}', server), { mode: 0o600 });
  return file;
}

function transport(directory) {
  if (!command) return new StreamableHTTPClientTransport(url);
  const config = configure(directory);
  const [program, ...args] = command.map((part) => part.replace('{config}', config));
  return new StdioClientTransport({ command: program, args, env: { ...process.env } });
}

/** Connects, lets `act` do its part, and leaves. */
async function session(act, { capabilities = {}, elicited } = {}) {
  const versionNegotiation = revision === '2026-07-28' ? { mode: 'auto' } : undefined;
  const client = new Client({ name: 'conformance-client', version: '1.0.0' }, { capabilities, versionNegotiation });
  if (elicited) client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: elicited }));
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'conformance-client-'));
  try {
    await client.connect(transport(directory));
    await act(client);
  } finally {
    await client.close();
    fs.rmSync(directory, { recursive: true });
  }
}

/** The names of the server's own tools, as the server calls them. */
async function tools(client) {
  const { tools: all } = await client.listTools();
  const own = all.filter(({ name }) => name.startsWith(prefix));
  return own.map((tool) => ({ ...tool, name: tool.name.slice(prefix.length) }));
}

const call = (client, name, args = {}) => client.callTool({ name: prefix + name, arguments: args });

/** Lists, and calls what the scenario names. */
const calling = (...calls) => async (client) => {
  await tools(client);
  for (const [name, args] of calls) await call(client, name, args);
};

async function everyMethod(client) {
  const [tool] = await tools(client);
  await call(client, tool.name);
  const { resources: [resource] } = await client.listResources();
  await client.readResource({ uri: resource.uri });
  const { prompts } = await client.listPrompts();
  await client.getPrompt({ name: prompts.find(({ name }) => name.startsWith(prefix)).name });
}

/** Calls whatever is listed: a tool that must not be used is to be missing from the list. */
async function everyTool(client) {
  for (const { name } of await tools(client)) await call(client, name, { region: 'us-west1' });
}

async function echoSchema(client) {
  const { inputSchema } = (await tools(client)).find(({ name }) => name === 'json_schema_2020_12_tool');
  await call(client, 'json_schema_echo', { schema: inputSchema });
}

async function rounds(client) {
  await calling(['test_mrtr_echo_state'], ['test_mrtr_no_state'], ['test_mrtr_unrelated'])(client);
  // A result that does not say what it is may be taken or refused, but not answered.
  await call(client, 'test_mrtr_no_result_type').catch((error) => console.error(error.message));
}

const everything = { roots: { listChanged: true }, sampling: {}, elicitation: {} };
const asked = { capabilities: { elicitation: { form: { applyDefaults: true } } } };
const scenarios = {
  initialize: () => session(tools),
  tools_call: () => session(calling(['add_numbers', { a: 5, b: 3 }])),
  'elicitation-sep1034-client-defaults': () =>
    session(calling(['test_client_elicitation_defaults']), { ...asked, elicited: {} }),
  'sse-retry': () => session(calling(['test_reconnection'])),
  'request-metadata': () => session(tools, { capabilities: everything }),
  'sep-2322-client-request-state': () => session(rounds, { ...asked, elicited: { confirmed: true } }),
  'http-standard-headers': () => session(everyMethod),
  'http-custom-headers': () => session(calling(...context.toolCalls.map((one) => [one.name, one.arguments]))),
  'http-invalid-tool-headers': () => session(everyTool),
  'json-schema-ref-no-deref': () => session(tools),
  'json-schema-2020-12-preservation': () => session(echoSchema),
};

if (!scenarios[scenario]) throw new Error(`nothing is known of the scenario ${scenario}`);
await scenarios[scenario]();
