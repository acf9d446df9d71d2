// A host made of npm @modelcontextprotocol/sdk 1.x, which opens sessions; used as features.mjs says.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import * as types from '@modelcontextprotocol/sdk/types.js';
import { Inbox, abilities, answers, main, spec, visit } from './features.mjs';

const client = new Client({ name: 'sdk-host', version: '1' }, { capabilities: abilities });
const inbox = new Inbox();
client.setRequestHandler(types.ElicitRequestSchema, ({ params }) => answers.elicit(params));
client.setRequestHandler(types.CreateMessageRequestSchema, answers.sample);
client.setRequestHandler(types.ListRootsRequestSchema, answers.roots);
client.setNotificationHandler(types.LoggingMessageNotificationSchema, ({ params }) => inbox.tell('log', params));
client.setNotificationHandler(types.ToolListChangedNotificationSchema, () => inbox.tell('tools'));
client.setNotificationHandler(types.ResourceListChangedNotificationSchema, () => inbox.tell('resources'));

await main(async () => {
  const env = { ...process.env };
  await client.connect(spec.url
    ? new StreamableHTTPClientTransport(new URL(spec.url))
    : new StdioClientTransport({ command: spec.command, args: [], env, cwd: '/' }));
  const rest = (options = {}) => Object.fromEntries(Object.entries(options).filter(([key]) => key !== 'logs'));
  await visit({
    inbox,
    tools: async () => (await client.listTools()).tools,
    call: (params, options) => client.callTool(params, types.CallToolResultSchema, rest(options)),
    resources: async () => (await client.listResources()).resources,
    templates: async () => (await client.listResourceTemplates()).resourceTemplates,
    prompts: async () => (await client.listPrompts()).prompts,
    read: (uri) => client.readResource({ uri }),
    prompt: (params) => client.getPrompt(params),
    complete: (params) => client.complete(params),
    setLevel: async () => { if (client.getServerCapabilities().logging) await client.setLoggingLevel('debug'); },
    listen: async () => {},
  });
  await client.close();
});
