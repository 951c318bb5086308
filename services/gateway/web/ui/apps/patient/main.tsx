import '@shared/styles-phone.css';
import './patient.css';
import { startApp } from '@shared/start';
import { router } from './routes';

void startApp({
  name: 'patient',
  size: 16,
  router,
  offlineShell: true,
  leanStyles: true,
  catalogues: { vi: () => import('@shared/locales/vi/patient.json'), en: () => import('@shared/locales/en/patient.json') },
});
