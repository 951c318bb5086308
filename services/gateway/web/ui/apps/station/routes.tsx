import { NoticesPage } from '@shared/ui/notices';
import { Broken, NotFound } from '@shared/ui/missing';
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { Frame } from './frame';

const root = createRootRoute({ component: Frame });
const screen = (path: string, component: ReturnType<typeof lazyRouteComponent>) => createRoute({ getParentRoute: () => root, path, component });

const routes = [
  screen('/', lazyRouteComponent(() => import('./home'), 'Home')),
  screen('/people/new', lazyRouteComponent(() => import('./register'), 'Register')),
  screen('/people/$id', lazyRouteComponent(() => import('./person'), 'PersonPage')),
  screen('/people/$id/visit', lazyRouteComponent(() => import('./visit'), 'Visit')),
  screen('/people/$id/immunization', lazyRouteComponent(() => import('./immunization'), 'Immunization')),
  screen('/outbox', lazyRouteComponent(() => import('./sent'), 'OutboxPage')),
  createRoute({ getParentRoute: () => root, path: '/notices', component: NoticesPage }),
];

export const router = createRouter({
  routeTree: root.addChildren(routes),
  basepath: '/station',
  defaultPreload: 'intent',
  scrollRestoration: true,
  defaultNotFoundComponent: NotFound,
  defaultErrorComponent: Broken,
});
