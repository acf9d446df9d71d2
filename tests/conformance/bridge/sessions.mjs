// Sessions up to 2025-11-25: a stdio server for each `Mcp-Session-Id`.
import { randomUUID } from 'node:crypto';
import { errorBody, openStream, sendEvent, sendJson } from './answer.mjs';
import { Child } from './child.mjs';
import { Opening, Stream } from './stream.mjs';

/** What a server says on its own, and not in the course of a request. */
const OF_ITS_OWN = /^notifications\/(\w+\/list_changed|resources\/updated)$/;

class Session {
  id = randomUUID();
  #running = new Map();
  #streams = [];
  #standing;
  #prefix;

  constructor(settings, gone) {
    this.#prefix = settings.prefix;
    this.child = new Child(settings, (message) => this.#take(message), () => {
      for (const id of [...this.#running.keys()]) this.#finish(errorBody(id, -32603, 'bridge: the server ended'));
      this.#standing?.end();
      gone(this);
    });
  }

  ask(message, response) {
    const opens = message.method === 'initialize';
    this.#running.set(message.id, opens ? new Opening(response, message, this) : this.#open(message, response));
    this.child.send(this.#prefix.inward(message));
  }

  #open(message, response) {
    const stream = new Stream(this.#streams.length, message);
    this.#streams.push(stream);
    stream.attach(response);
    return stream;
  }

  /** Opens the stream for what belongs to no request, or the rest of one that was left. */
  listen(response, lastEvent) {
    const [name, number] = lastEvent?.split('/').map(Number) ?? [];
    if (this.#streams[name]) return this.#streams[name].attach(response, number);
    if (this.#standing) return sendJson(response, 409, errorBody(null, -32000, 'the stream is open'));
    this.#standing = response;
    response.on('close', () => { this.#standing = undefined; });
    openStream(response);
  }

  #take(message) {
    if (message.method === undefined) return this.#finish(message);
    const place = this.#place(message);
    if (place) place(message);
    else console.error(`bridge: nobody listens to ${message.method}`);
  }

  #finish(message) {
    const answer = this.#running.get(message.id);
    if (!answer) return console.error(`bridge: nobody asked for ${JSON.stringify(message)}`);
    this.#running.delete(message.id);
    answer.finish(this.#prefix.outward(answer.request.method, message));
  }

  /** Where a message of the server goes: to the request that it belongs to, as far as that can be told. */
  #place({ method, params }) {
    const running = [...this.#running.values()];
    const by = (answer) => answer && ((message) => answer.push(message));
    if (method === 'notifications/progress') {
      return by(running.find(({ request }) => request.params?._meta?.progressToken === params.progressToken));
    }
    const standing = this.#standing && ((message) => sendEvent(this.#standing, message));
    if (OF_ITS_OWN.test(method)) return standing;
    return running.length === 1 ? by(running[0]) : standing ?? by(running.at(-1));
  }
}

export class Sessions {
  #open = new Map();
  #settings;

  constructor(settings) {
    this.#settings = settings;
  }

  post(headers, message, response) {
    const session = this.#of(headers, message, response);
    if (!session) return;
    if (message.method !== undefined && message.id !== undefined) return session.ask(message, response);
    session.child.send(message);
    response.writeHead(202).end();
  }

  get(headers, response) {
    this.#known(headers, response)?.listen(response, headers['last-event-id']);
  }

  async delete(headers, response) {
    const session = this.#known(headers, response);
    if (!session) return;
    this.#open.delete(session.id);
    await session.child.end();
    response.writeHead(204).end();
  }

  end() {
    return Promise.all([...this.#open.values()].map(({ child }) => child.end()));
  }

  #of(headers, message, response) {
    if (message.method !== 'initialize' || headers['mcp-session-id'] !== undefined) return this.#known(headers, response);
    const session = new Session(this.#settings, ({ id }) => this.#open.delete(id));
    this.#open.set(session.id, session);
    return session;
  }

  #known({ 'mcp-session-id': id }, response) {
    const session = this.#open.get(id);
    if (!session) sendJson(response, id === undefined ? 400 : 404, errorBody(null, -32001, 'no such session'));
    return session;
  }
}
