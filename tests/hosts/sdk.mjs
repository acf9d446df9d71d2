// A host made of npm @modelcontextprotocol/sdk: starts a stdio server, lists its tools, calls one, and
// prints one JSON object of what it saw. Every driver in this directory is used alike:
//   DRIVER TOOL ARGUMENTS-AS-JSON COMMAND [ARGUMENT…]
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

const [tool, args, command, ...rest] = process.argv.slice(2);
const client = new Client({ name: 'sdk-host', version: '1' });
// The SDK passes on a few variables only, as hosts do; the message bus must come along on purpose.
const env = { ...process.env };
await client.connect(new StdioClientTransport({ command, args: rest, env, cwd: '/' }));
const { tools } = await client.listTools();
const result = await client.callTool({ name: tool, arguments: JSON.parse(args) });
await client.close();
console.log(JSON.stringify({
  server: client.getServerVersion().name,
  tools: tools.map(({ name }) => name),
  is_error: result.isError ?? false,
  text: result.content.map((block) => block.text ?? '').join('\n'),
}));
