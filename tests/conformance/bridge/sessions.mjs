// Sessions up to 2025-11-25: a stdio server for each `Mcp-Session-Id`.
import { randomUUID } from 'node:crypto';
import { Answer, errorBody, openStream, sendEvent, sendJson } from './answer.mjs';
import { Child } from './child.mjs';

/** What a server says on its own, and not in the course of a request. */
const OF_ITS_OWN = /^notifications\/(\w+\/list_changed|resources\/updated)$/;

class Session {
  id = randomUUID();
  #running = new Map();
  #standing;
  #prefix;

  constructor({ command, prefix }, gone) {
    this.#prefix = prefix;
    this.child = new Child(command, (message) => this.#take(message), () => {
      for (const answer of this.#running.values()) answer.fail();
      this.#standing?.end();
      gone(this);
    });
  }

  ask(message, response) {
    this.#running.set(message.id, new Answer(response, message, () => {})); // the request itself goes on
    this.child.send(this.#prefix.inward(message));
  }

  /** Opens the stream for what belongs to no request. */
  stand(response) {
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
    const { method } = answer.request;
    const opens = method === 'initialize' && message.result;
    answer.finish(this.#prefix.outward(method, message), 200, opens ? { 'mcp-session-id': this.id } : {});
    if (method === 'initialize' && !opens) this.child.end();
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
    this.#known(headers, response)?.stand(response);
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
