import { Broken, NotFound } from '@shared/ui/missing';
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { Frame } from './frame';
import { Home } from './home';

const root = createRootRoute({ component: Frame });
const screen = (path: string, component: ReturnType<typeof lazyRouteComponent>) => createRoute({ getParentRoute: () => root, path, component });

const booklet = () => import('./booklet');
const booking = () => import('./booking');
const consultation = () => import('./consultation');

const routes = [
  createRoute({ getParentRoute: () => root, path: '/', component: Home }),
  screen('/booklet', lazyRouteComponent(booklet, 'Booklet')),
  screen('/booklet/$section', lazyRouteComponent(booklet, 'SectionTimeline')),
  screen('/booklet/$section/$id', lazyRouteComponent(() => import('./entry'), 'EntryDetail')),
  screen('/book', lazyRouteComponent(booking, 'Doctors')),
  screen('/book/$doctor', lazyRouteComponent(booking, 'Slots')),
  screen('/consultation/$id', lazyRouteComponent(consultation, 'ConsultationDetail')),
  screen('/consultation/$id/waiting', lazyRouteComponent(() => import('./waiting'), 'WaitingRoom')),
  screen('/consultation/$id/room', lazyRouteComponent(() => import('./room'), 'Room')),
  screen('/access', lazyRouteComponent(() => import('./log'), 'AccessLog')),
  screen('/identity', lazyRouteComponent(() => import('./identity'), 'Identity')),
  screen('/settings', lazyRouteComponent(() => import('./settings'), 'Settings')),
  screen('/notices', lazyRouteComponent(() => import('@shared/ui/notices-page'), 'NoticesPage')),
];

export const router = createRouter({
  routeTree: root.addChildren(routes),
  basepath: '/patient',
  defaultPreload: 'intent',
  scrollRestoration: true,
  defaultNotFoundComponent: NotFound,
  defaultErrorComponent: Broken,
});
