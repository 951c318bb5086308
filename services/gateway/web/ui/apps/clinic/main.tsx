import '@shared/styles.css';
import './clinic.css';
import { startApp } from '@shared/start';
import { router } from './routes';

void startApp({
  name: 'clinic',
  size: 15,
  router,
  dark: true,
  catalogues: { vi: () => import('@shared/locales/vi/clinic.json'), en: () => import('@shared/locales/en/clinic.json') },
});
