// Keeps the app's shell for the time without a network. It never touches
// /api or /fhir: what a patient's record says is not kept by this worker.
const shell = 'yba-patient-shell-1';
const start = '/patient/';

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(shell).then((cache) => cache.add(start)).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter((n) => n.startsWith('yba-patient-') && n !== shell).map((n) => caches.delete(n))))
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

// Web Push (RFC 8030): the message is JSON {title, text, link} without clinical content.
self.addEventListener('push', (event) => {
  let notice = { title: 'Y Bạ', text: '', link: start };
  try {
    notice = { ...notice, ...event.data.json() };
  } catch {
    // A message without readable content still tells that something is new.
  }
  event.waitUntil(self.registration.showNotification(notice.title, {
    body: notice.text, icon: '/icon.svg', data: { link: notice.link }, lang: 'vi',
  }));
});

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  const link = event.notification.data?.link || start;
  const path = link.startsWith(start) ? link : start.slice(0, -1) + (link.startsWith('/') ? link : `/${link}`);
  event.waitUntil(
    self.clients.matchAll({ type: 'window' }).then((open) => {
      const page = open.find((c) => new URL(c.url).pathname.startsWith(start));
      return page ? page.focus().then((c) => c.navigate(path)) : self.clients.openWindow(path);
    }),
  );
});
