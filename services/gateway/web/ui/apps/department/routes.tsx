import { NoticesPage } from '@shared/ui/notices';
import { Broken, NotFound } from '@shared/ui/missing';
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { Frame } from './frame';

const root = createRootRoute({ component: Frame });
const coverage = lazyRouteComponent(() => import('./coverage'), 'Coverage');

const routes = [
  createRoute({ getParentRoute: () => root, path: '/', component: coverage }),
  createRoute({ getParentRoute: () => root, path: '/indicator/$indicator', component: coverage }),
  createRoute({ getParentRoute: () => root, path: '/notices', component: NoticesPage }),
];

export const router = createRouter({
  routeTree: root.addChildren(routes),
  basepath: '/department',
  defaultPreload: 'intent',
  scrollRestoration: true,
  defaultNotFoundComponent: NotFound,
  defaultErrorComponent: Broken,
});
