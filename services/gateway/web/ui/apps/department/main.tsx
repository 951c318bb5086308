import '@shared/styles.css';
import './department.css';
import { startApp } from '@shared/start';
import { router } from './routes';

void startApp({
  name: 'department',
  size: 16,
  router,
  catalogues: { vi: () => import('@shared/locales/vi/department.json'), en: () => import('@shared/locales/en/department.json') },
});
