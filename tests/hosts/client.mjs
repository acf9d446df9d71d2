// A host made of npm @modelcontextprotocol/client, whose requests stand alone (MCP 2026-07-28); used like
// sdk.mjs. ERA says how it finds that out: `auto` asks first, a revision is taken for granted.
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const [tool, args, command, ...rest] = process.argv.slice(2);
const era = process.env.ERA ?? 'auto';
const versionNegotiation = { mode: era === 'auto' ? 'auto' : { pin: era } };
const client = new Client({ name: 'client-host', version: '2' }, { versionNegotiation });
const env = { ...process.env };
await client.connect(new StdioClientTransport({ command, args: rest, env, cwd: '/' }));
const { tools } = await client.listTools();
const progress = [];
const options = { onprogress: ({ progress: far }) => progress.push(far) };
const result = await client.callTool({ name: tool, arguments: JSON.parse(args) }, options);
const revision = client.getNegotiatedProtocolVersion?.();
await client.close();
console.log(JSON.stringify({
  server: client.getServerVersion()?.name,
  revision,
  tools: tools.map(({ name }) => name),
  is_error: result.isError ?? false,
  text: result.content.map((block) => block.text ?? '').join('\n'),
  progress,
}));
