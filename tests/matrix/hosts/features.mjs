// What every host made of JavaScript does at every server, feature by feature; each prints one line of
// JSON: server, feature, status (ok, failed, absent) and why.
//
// A host is used alike in any language:
//   DRIVER '{"servers": ["everything"], "url": "http://…"}'           straight to one server
//   DRIVER '{"servers": ["everything", …], "command": "chaperone"}'   through the program to all of them
import { readFileSync } from 'node:fs';

const features = JSON.parse(readFileSync(new URL('../features.json', import.meta.url)));
/** What a server has; the same program may run in more than one way. */
const featuresOf = (server) => features[server.split('-')[0]];
/** How long a feature may take, in seconds, unless the table says something else. */
const PATIENCE = 60;
export const spec = JSON.parse(process.argv[2]);
export const FEATURES = ['list', 'call', 'structured', 'image', 'link', 'progress', 'cancel', 'elicit', 'sample',
  'roots', 'log', 'resource', 'template', 'prompt', 'complete', 'change'];

const assert = (condition, why) => { if (!condition) throw new Error(why); };
const said = ({ content }) => content.map((block) => block.text ?? '').join('\n');
/** The shortest form of a value that an error needs. */
const shown = (value) => String(JSON.stringify(value)).slice(0, 200);

function within(promise, what, seconds = PATIENCE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing came`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** What came unasked, and who waits for it. */
export class Inbox {
  #waiting = [];

  tell(kind, value) {
    for (const one of this.#waiting) if (one.kind === kind && one.wanted(value)) one.resolve(value);
  }

  next(kind, wanted = () => true) {
    return new Promise((resolve) => { this.#waiting.push({ kind, wanted, resolve }); });
  }
}

/** What the person, the model and the workspace of the host answer. */
export const answers = {
  elicit({ requestedSchema }) {
    const known = { name: 'Ada', username: 'Ada', email: 'ada@example.com' };
    const wanted = Object.entries(known).filter(([key]) => requestedSchema.properties[key]);
    return { action: 'accept', content: Object.fromEntries(wanted) };
  },
  sample: () => ({ role: 'assistant', model: 'm', content: { type: 'text', text: 'marmalade' } }),
  roots: () => ({ roots: [{ uri: 'file:///matrix', name: 'matrix' }] }),
};

export const abilities = { elicitation: {}, sampling: {}, roots: { listChanged: true } };

class Visit {
  constructor(host, server) {
    this.host = host;
    this.server = server;
  }

  name = (own) => (spec.command ? `${this.server}__${own}` : own);

  call({ tool, arguments: args = {} }, options) {
    return this.host.call({ name: this.name(tool), arguments: args }, options);
  }

  /** The URI under which a list shows one of this server's. */
  shownAs(listed, own) {
    const alias = (uri) => uri.startsWith(`chaperone://${this.server}/`)
      && decodeURIComponent(uri.slice(`chaperone://${this.server}/`.length)) === own;
    const found = listed.find(alias) ?? listed.find((uri) => uri === own);
    assert(found, `${own} is not listed: ${shown(listed)}`);
    return found;
  }

  async says(feature) {
    const result = await this.call(feature);
    assert(!result.isError && said(result).includes(feature.expect ?? ''), shown(result));
    return result;
  }

  async list() {
    const names = (await this.host.tools()).map(({ name }) => name);
    for (const [feature, { tool }] of Object.entries(featuresOf(this.server))) {
      if (this.host.lacks?.includes(feature)) continue;
      assert(!tool || names.includes(this.name(tool)), `${tool} is not listed: ${shown(names)}`);
    }
  }

  elicit = (feature) => this.says(feature);
  sample = (feature) => this.says(feature);
  roots = (feature) => this.says(feature);

  async structured(feature) {
    const { structuredContent, isError } = await this.call(feature);
    assert(!isError && JSON.stringify(structuredContent)?.includes(feature.expect), shown(structuredContent));
  }

  async image(feature) {
    const { content } = await this.call(feature);
    assert(content.some(({ type, data }) => type === 'image' && data.length > 50), shown(content));
  }

  async link(feature) {
    const { content } = await this.call(feature);
    assert(content.some(({ type, uri }) => type === 'resource_link' && uri), shown(content));
  }

  /** Some hosts lose progress that comes in one piece with the answer, so it is tried more than once. */
  async progress(feature, attempts = 5) {
    const seen = [];
    const result = await this.call(feature, { onprogress: ({ progress }) => seen.push(progress) });
    assert(said(result).includes(feature.expect), shown(result));
    if (seen.length >= 2) return;
    assert(attempts > 1, `progress: ${shown(seen)}`);
    await this.progress(feature, attempts - 1);
  }

  /** Gives a call up once it is on its way; some servers can be asked whether they heard of it. */
  async cancel(feature) {
    const who = crypto.randomUUID();
    const arguments_ = { ...feature.arguments, ...(feature.after && { who }) };
    const giving = new AbortController();
    const options = { signal: giving.signal, onprogress: () => giving.abort('enough') };
    const end = await this.call({ tool: feature.tool, arguments: arguments_ }, options).then(shown, () => undefined);
    assert(end === undefined, `it was answered: ${end}`);
    if (feature.after) {
      const after = await this.call({ tool: feature.after, arguments: { who } });
      assert(said(after).includes('abandoned'), shown(after));
    }
    await this.says(featuresOf(this.server).call);
  }

  async log(feature) {
    const wanted = (params) => JSON.stringify(params.data).includes(feature.expect);
    const logged = this.host.inbox.next('log', wanted);
    await this.host.setLevel();
    await this.call(feature, { logs: true });
    await logged;
  }

  async resource({ uri, expect }) {
    const listed = (await this.host.resources()).map((resource) => resource.uri);
    const { contents } = await this.host.read(this.shownAs(listed, uri));
    assert(JSON.stringify(contents).includes(expect), shown(contents));
  }

  async template({ template, uri, expect }) {
    const listed = (await this.host.templates()).map(({ uriTemplate }) => uriTemplate);
    const prefix = this.shownAs(listed, template).slice(0, -template.length);
    const { contents } = await this.host.read(prefix + uri);
    assert(JSON.stringify(contents).includes(expect), shown(contents));
  }

  async prompt({ name, arguments: args, expect }) {
    const names = (await this.host.prompts()).map((prompt) => prompt.name);
    assert(names.includes(this.name(name)), `${name} is not listed: ${shown(names)}`);
    const { messages } = await this.host.prompt({ name: this.name(name), arguments: args });
    assert(JSON.stringify(messages).includes(expect), shown(messages));
  }

  async complete({ prompt, argument: name, value, expect }) {
    const ref = { type: 'ref/prompt', name: this.name(prompt) };
    const { completion } = await this.host.complete({ ref, argument: { name, value } });
    assert(completion.values.includes(expect), shown(completion));
  }

  async change(feature) {
    // Some servers tell of changes without being asked to.
    const listening = await this.host.listen().catch(() => undefined);
    const changed = this.host.inbox.next(feature.list);
    const result = await this.call(feature);
    assert(!result.isError, shown(result));
    await changed;
    await listening?.close();
  }
}

const report = (server, feature, status, why = '') => console.log(JSON.stringify({ server, feature, status, why }));

/** Waits until the lists of all servers are there: the program shows them as they come. */
async function complete(host) {
  for (;;) {
    const changed = host.inbox.next('tools');
    const names = new Set((await host.tools()).map(({ name }) => name));
    const missing = spec.servers.filter((server) => !names.has(`${server}__${featuresOf(server).call.tool}`));
    if (missing.length === 0) return;
    await changed;
  }
}

/** Does everything, and reports it. */
export async function visit(host) {
  const listening = spec.command && await host.listen();
  if (spec.command) await within(complete(host), 'all lists');
  await listening?.close?.();
  for (const server of spec.servers) {
    const one = new Visit(host, server);
    for (const feature of FEATURES) {
      const wanted = feature === 'list' ? {} : featuresOf(server)[feature];
      if (!wanted || host.lacks?.includes(feature)) { report(server, feature, 'absent'); continue; }
      const doing = feature === 'call' ? one.says(wanted) : one[feature](wanted);
      await within(doing, feature, wanted.seconds).then(
        () => report(server, feature, 'ok'),
        (error) => report(server, feature, 'failed', error.message),
      );
    }
  }
}

/** Ends the process whatever still waits, after a report of what went wrong. */
export async function main(work) {
  try {
    await work();
  } catch (error) {
    for (const server of spec.servers) report(server, 'connect', 'failed', error.message ?? String(error));
  }
  process.exit(0);
}
