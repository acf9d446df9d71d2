// The only rewriting that the bridge does, and only with --prefix: chaperone shows tools and prompts as
// `server__name`, the suite knows them as `name`. The prefix is put before the names in calls and taken
// off the names in lists; chaperone's own tools are left out of lists. Nothing else is touched.

const OWN = 'chaperone__';

export class Prefix {
  #prefix;

  constructor(prefix = '') {
    this.#prefix = prefix;
  }

  /** A request on its way to the server. */
  inward(message) {
    const { method, params } = message;
    if (!this.#prefix) return message;
    if ((method === 'tools/call' || method === 'prompts/get') && typeof params?.name === 'string') {
      return { ...message, params: { ...params, name: this.#prefix + params.name } };
    }
    if (method === 'completion/complete' && params?.ref?.type === 'ref/prompt') {
      return { ...message, params: { ...params, ref: { ...params.ref, name: this.#prefix + params.ref.name } } };
    }
    return message;
  }

  /** The answer to a request of this method on its way back. */
  outward(method, message) {
    const list = { 'tools/list': 'tools', 'prompts/list': 'prompts' }[method];
    if (!this.#prefix || !list || !Array.isArray(message.result?.[list])) return message;
    const shown = message.result[list].filter(({ name }) => !name.startsWith(OWN)).map((one) => this.#bare(one));
    return { ...message, result: { ...message.result, [list]: shown } };
  }

  #bare(one) {
    return one.name.startsWith(this.#prefix) ? { ...one, name: one.name.slice(this.#prefix.length) } : one;
  }
}
