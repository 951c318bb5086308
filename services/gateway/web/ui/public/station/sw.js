// Keeps the app's shell for the time without a network. It never touches
// /api or /fhir: what a patient's record says is not kept by this worker.
const shell = 'yba-station-shell-1';
const start = '/station/';

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(shell).then((cache) => cache.add(start)).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter((n) => n.startsWith('yba-station-') && n !== shell).map((n) => caches.delete(n))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (request.mode === 'navigate' && url.pathname.startsWith(start)) {
    event.respondWith(fresh(request));
  } else if (url.pathname.startsWith('/assets/')) {
    event.respondWith(kept(request));
  }
});

// A page comes from the network; without one, the shell opens instead.
async function fresh(request) {
  try {
    const answer = await fetch(request);
    if (answer.ok && !answer.redirected) {
      const cache = await caches.open(shell);
      await cache.put(start, answer.clone());
    }
    return answer;
  } catch (error) {
    const page = await caches.match(start);
    if (page) return page;
    throw error;
  }
}

// Names of assets change with their content, so a kept one is never stale.
async function kept(request) {
  const hit = await caches.match(request);
  if (hit) return hit;
  const answer = await fetch(request);
  if (answer.ok) {
    const cache = await caches.open(shell);
    await cache.put(request, answer.clone());
  }
  return answer;
}
