// What goes back to the HTTP client, as one JSON body or as a stream of events.

export const errorBody = (id, code, message) => ({ jsonrpc: '2.0', id: id ?? null, error: { code, message } });

export function sendJson(response, status, body, headers = {}) {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

export function openStream(response, headers = {}) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', ...headers });
  response.flushHeaders();
}

export const sendEvent = (response, message) => response.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`);

/** The answer to one request and whatever the server says of it before: a stream if there is such. */
export class Answer {
  #response;

  /** `left` is called when the client goes away before the answer is complete. */
  constructor(response, request, left) {
    this.#response = response;
    this.request = request;
    response.on('close', () => { if (!response.writableFinished) left(this); });
  }

  push(message) {
    if (this.#response.destroyed) return;
    if (!this.#response.headersSent) openStream(this.#response);
    sendEvent(this.#response, message);
  }

  finish(message, status = 200, headers = {}) {
    if (!this.#response.headersSent) return sendJson(this.#response, status, message, headers);
    this.push(message);
    this.#response.end();
  }

  /** The server ended without an answer. */
  fail() {
    const { id } = this.request;
    this.finish(errorBody(id, -32603, 'bridge: the stdio server ended'), 502);
  }
}
