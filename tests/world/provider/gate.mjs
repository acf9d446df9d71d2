// Holds token requests, so that a test can look at the moment in between without sleeping:
// `before` the provider acts on them, or `after` it has (the old refresh token is spent, the new one
// has not arrived).

export class Gate {
  #closed = null;
  #inside = [];
  #watchers = [];

  close(when) {
    this.#closed = when;
    return { holding: when };
  }

  open() {
    this.#closed = null;
    const released = this.#inside.splice(0);
    released.forEach((go) => go());
    return { released: released.length };
  }

  /** Resolves when `count` requests wait. */
  held(count) {
    return new Promise((resolve) => {
      this.#watchers.push({ count, resolve });
      this.#tell();
    });
  }

  async pass(when) {
    if (this.#closed !== when) return;
    await new Promise((go) => {
      this.#inside.push(go);
      this.#tell();
    });
  }

  /** Keeps the answer back that the provider is about to give. */
  withhold(response) {
    if (this.#closed !== 'after') return;
    const end = response.end.bind(response);
    response.end = (...args) => {
      this.pass('after').then(() => end(...args));
      return response;
    };
  }

  #tell() {
    const waiting = this.#inside.length;
    this.#watchers = this.#watchers.filter(({ count, resolve }) => {
      if (waiting < count) return true;
      resolve({ held: waiting });
      return false;
    });
  }
}
