// A host made of npm @modelcontextprotocol/client 2.x; used as features.mjs says. ERA says how it speaks:
// `legacy` opens a session, `auto` asks first, a revision is taken for granted.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Inbox, abilities, answers, main, spec, visit } from './features.mjs';

const era = process.env.ERA ?? 'auto';
const mode = ['auto', 'legacy'].includes(era) ? era : { pin: era };
const client = new Client({ name: 'client-host', version: '2' }, { capabilities: abilities, versionNegotiation: { mode } });
const inbox = new Inbox();
client.setRequestHandler('elicitation/create', ({ params }) => answers.elicit(params));
client.setRequestHandler('sampling/createMessage', answers.sample);
client.setRequestHandler('roots/list', answers.roots);
client.setNotificationHandler('notifications/message', ({ params }) => inbox.tell('log', params));
client.setNotificationHandler('notifications/tools/list_changed', () => inbox.tell('tools'));
client.setNotificationHandler('notifications/resources/list_changed', () => inbox.tell('resources'));

const standsAlone = () => client.getNegotiatedProtocolVersion() >= '2026';
const LEVEL = { 'io.modelcontextprotocol/logLevel': 'debug' };
/** What is kept may be old; here the server is asked. */
const fresh = { cacheMode: 'refresh' };

await main(async () => {
  const env = { ...process.env };
  await client.connect(spec.url
    ? new StreamableHTTPClientTransport(new URL(spec.url))
    : new StdioClientTransport({ command: spec.command, args: [], env, cwd: '/' }));
  await visit({
    inbox,
    tools: async () => (await client.listTools(undefined, fresh)).tools,
    call: (params, { logs, ...options } = {}) =>
      client.callTool(logs && standsAlone() ? { ...params, _meta: LEVEL } : params, options),
    resources: async () => (await client.listResources(undefined, fresh)).resources,
    templates: async () => (await client.listResourceTemplates(undefined, fresh)).resourceTemplates,
    prompts: async () => (await client.listPrompts(undefined, fresh)).prompts,
    read: (uri) => client.readResource({ uri }),
    prompt: (params) => client.getPrompt(params),
    complete: (params) => client.complete(params),
    setLevel: async () => {
      if (!standsAlone() && client.getServerCapabilities().logging) await client.setLoggingLevel('debug');
    },
    listen: async () => (standsAlone() ? client.listen({ toolsListChanged: true, resourcesListChanged: true }) : undefined),
  });
  await client.close();
});
