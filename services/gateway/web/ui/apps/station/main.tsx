import '@shared/styles.css';
import './station.css';
import { startApp } from '@shared/start';
import { router } from './routes';

void startApp({
  name: 'station',
  size: 16,
  router,
  offlineShell: true,
  catalogues: { vi: () => import('@shared/locales/vi/station.json'), en: () => import('@shared/locales/en/station.json') },
});
