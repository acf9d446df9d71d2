// Requests that stand alone (2026-07-28). They share one stdio server; ids and progress tokens stay as
// they are, so another one is started for a request whose id or token is in use.
import { Answer } from './answer.mjs';
import { Child } from './child.mjs';
import { isComplete } from './headers.mjs';

const SUBSCRIPTION_KEY = 'io.modelcontextprotocol/subscriptionId';
const LOG_LEVEL_KEY = 'io.modelcontextprotocol/logLevel';

/** The HTTP status that belongs to an error; all others are answers like any other. */
const STATUS = { '-32700': 400, '-32600': 400, '-32601': 404, '-32020': 400, '-32021': 400, '-32022': 400 };

function statusOf({ error }, request) {
  if (error?.code === -32602) return isComplete(request) ? 200 : 400;
  return STATUS[error?.code] ?? 200;
}

const token = (request) => request.params?._meta?.progressToken;

class Shared {
  #running = new Map();
  #settings;

  constructor(settings, gone) {
    this.#settings = settings;
    this.child = new Child(settings, (message) => this.#take(message), () => {
      for (const answer of this.#running.values()) answer.fail();
      gone(this);
    });
  }

  isFreeFor(request) {
    const tokens = [...this.#running.values()].map((answer) => token(answer.request));
    return !this.#running.has(request.id) && (token(request) === undefined || !tokens.includes(token(request)));
  }

  ask(message, response) {
    // The id stays in use until the server answers, because it still may.
    const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: message.id } };
    this.#running.set(message.id, new Answer(response, message, () => this.child.send(cancelled)));
    this.child.send(this.#settings.prefix.inward(message));
  }

  #take(message) {
    if (message.method === undefined) return this.#finish(message);
    const places = this.#places(message);
    if (places.length === 0) console.error(`bridge: nobody listens to ${JSON.stringify(message)}`);
    for (const answer of places) answer.push(message);
  }

  #finish(message) {
    const answer = this.#running.get(message.id);
    if (!answer) return console.error(`bridge: nobody asked for ${JSON.stringify(message)}`);
    this.#running.delete(message.id);
    const { method } = answer.request;
    const shown = this.#settings.prefix.outward(method, message);
    if (method === 'tools/list' && shown.result) this.#settings.mirrors.learn(shown.result.tools);
    answer.finish(shown, statusOf(message, answer.request));
  }

  /** The streams that a message of the server belongs on. What says nothing of where it belongs goes to
   * whoever may be meant, because the suite has to see also what should not have been sent. */
  #places({ method, params }) {
    const running = [...this.#running.values()];
    const listening = running.filter(({ request }) => request.method === 'subscriptions/listen');
    const working = running.filter((answer) => !listening.includes(answer));
    const subscription = params?._meta?.[SUBSCRIPTION_KEY];
    if (subscription !== undefined) return listening.filter(({ request }) => String(request.id) === String(subscription));
    if (method === 'notifications/progress') return working.filter(({ request }) => token(request) === params.progressToken);
    if (method === 'notifications/message') {
      const asking = working.filter(({ request }) => request.params?._meta?.[LOG_LEVEL_KEY] !== undefined);
      return asking.length > 0 ? asking : working;
    }
    return method.startsWith('notifications/') ? listening : working;
  }
}

export class Alone {
  #servers = [];
  #settings;

  constructor(settings) {
    this.#settings = settings;
  }

  post(message, response) {
    if (message.id !== undefined) return this.#server(message).ask(message, response);
    this.#servers[0]?.child.send(message);
    response.writeHead(202).end();
  }

  end() {
    return Promise.all(this.#servers.map(({ child }) => child.end()));
  }

  #server(request) {
    const free = this.#servers.find((server) => server.isFreeFor(request));
    if (free) return free;
    const server = new Shared(this.#settings, (gone) => { this.#servers = this.#servers.filter((one) => one !== gone); });
    this.#servers.push(server);
    return server;
  }
}
