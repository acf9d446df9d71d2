// Lets a script anywhere in the repository import the npm packages of the world by their bare names:
//   node --import tests/world/packages.mjs SCRIPT
// They are installed outside `tests/`, so that no test directory ever holds generated files.
import { registerHooks } from 'node:module';

const installed = new URL('../../.world/npm/', import.meta.url).href;
const bare = (specifier) => !/^(\.|\/|[a-z]+:)/.test(specifier);

registerHooks({
  resolve(specifier, context, next) {
    const ours = context.parentURL?.startsWith('file:') && !context.parentURL.includes('/node_modules/');
    return next(specifier, ours && bare(specifier) ? { ...context, parentURL: installed } : context);
  },
});
