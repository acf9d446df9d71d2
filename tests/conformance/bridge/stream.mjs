// What goes back in a session: a stream for each request, which can be taken up again.
import { openStream, sendJson } from './answer.mjs';

const MILLISECONDS_UNTIL_RETRY = 500;

/** The stream of one request. Its events have ids, so that a client can come back for the rest. */
export class Stream {
  #events;
  #name;
  #response;
  #finished = false;

  constructor(name, request) {
    this.#name = name;
    this.request = request;
    this.#events = [`id: ${name}/0\nretry: ${MILLISECONDS_UNTIL_RETRY}\ndata: \n\n`];
  }

  /** Sends all that comes after the event of this number, from now on here. */
  attach(response, number = -1) {
    this.#response = response;
    openStream(response);
    for (const event of this.#events.slice(number + 1)) response.write(event);
    if (this.#finished) response.end();
  }

  push(message) {
    const event = `event: message\nid: ${this.#name}/${this.#events.length}\ndata: ${JSON.stringify(message)}\n\n`;
    this.#events.push(event);
    this.#response.write(event);
  }

  finish(message) {
    this.push(message);
    this.#finished = true;
    this.#response.end();
  }
}

/** The answer to `initialize`, which brings the session's id. */
export class Opening {
  #response;
  #session;

  constructor(response, request, session) {
    this.request = request;
    this.#response = response;
    this.#session = session;
  }

  push(message) {
    console.error(`bridge: before the session is open: ${JSON.stringify(message)}`);
  }

  finish(message) {
    sendJson(this.#response, 200, message, message.result ? { 'mcp-session-id': this.#session.id } : {});
    if (!message.result) this.#session.child.end();
  }
}
