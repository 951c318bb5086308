import { NoticesPage } from '@shared/ui/notices-page';
import { Broken, NotFound } from '@shared/ui/missing';
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { Frame } from './frame';

const root = createRootRoute({ component: Frame });
const screen = (path: string, component: ReturnType<typeof lazyRouteComponent>) => createRoute({ getParentRoute: () => root, path, component });

export const router = createRouter({
  routeTree: root.addChildren([
    screen('/', lazyRouteComponent(() => import('./day'), 'Day')),
    screen('/consultation/$id', lazyRouteComponent(() => import('./desk'), 'Desk')),
    createRoute({ getParentRoute: () => root, path: '/notices', component: () => <div className="c-page"><NoticesPage /></div> }),
  ]),
  basepath: '/clinic',
  defaultNotFoundComponent: NotFound,
  defaultErrorComponent: Broken,
});
