import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

// YBA_APPS=patient,clinic builds only those. The patient app is built alone, so that
// no shared chunk brings it code of the others.
const apps = (process.env.YBA_APPS ?? 'patient,station,clinic,department').split(',');
const backend = process.env.YBA_URL ?? 'http://localhost:8080';

// In development every /<app>/… path opens that app, as the gateway does in production.
function appPaths(): Plugin {
  return {
    name: 'yba-app-paths',
    configureServer(server) {
      server.middlewares.use((req, _res, next) => {
        const path = (req.url ?? '').split('?')[0] ?? '';
        const app = apps.find((a) => path === `/${a}` || path.startsWith(`/${a}/`));
        if (app && !/\.[a-z]+$/.test(path)) req.url = `/${app}/index.html`;
        next();
      });
    },
  };
}

export default defineConfig({
  base: '/',
  appType: 'mpa',
  plugins: [react(), appPaths()],
  resolve: { alias: { '@shared': resolve(import.meta.dirname, 'shared') } },
  server: {
    proxy: Object.fromEntries(
      ['/api', '/fhir', '/oauth', '/signin', '/.well-known'].map((p) => [p, { target: backend, ws: true }]),
    ),
  },
  build: {
    outDir: '../dist',
    // The committed placeholder must survive, so scripts/clean.mjs empties the folder instead.
    emptyOutDir: false,
    target: 'es2022',
    manifest: `manifest-${apps[0]}.json`,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: Object.fromEntries(
        apps.filter((a) => readdirSync(resolve(import.meta.dirname, 'apps', a)).includes('main.tsx'))
          .map((a) => [a, resolve(import.meta.dirname, a, 'index.html')]),
      ),
    },
  },
  test: { include: ['**/*.test.ts'], environment: 'node' },
} as Parameters<typeof defineConfig>[0]);
