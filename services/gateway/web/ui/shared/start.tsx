import { type CSSVariablesResolver, MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { type AnyRouter, RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiError } from './api';
import { type AppName, openSession, signedIn } from './session';
import { yTheme } from './theme';
import { ErrorNote } from './ui/states';
import { Toasts } from './ui/toasts';
import { WhoIAm } from './who';
import { type Catalogue, type Language, startWords } from './words';

/** App is what an app tells startApp about itself. */
export interface App {
  name: AppName;
  /** Body text in pixels: 16 on phones, 15 in the clinic. */
  size: 15 | 16;
  router: AnyRouter;
  catalogues: Record<Language, Catalogue>;
  /** Offers the dark scheme (the clinic). */
  dark?: boolean;
  /** The app loads styles-phone.css, without Mantine's sheet of variables: they are written at run time. */
  leanStyles?: boolean;
  /** Registers /<app>/sw.js, which keeps the shell for the time without network. */
  offlineShell?: boolean;
}

// Mantine writes its own greys with more weight than a style sheet; these are the identity's.
const variables: CSSVariablesResolver = () => {
  const own = {
    '--mantine-color-body': 'var(--paper)', '--mantine-color-text': 'var(--ink)', '--mantine-color-dimmed': 'var(--quiet)',
    '--mantine-color-placeholder': 'var(--quiet)', '--mantine-color-error': 'var(--red)', '--mantine-color-default-border': 'var(--line)',
    '--mantine-color-anchor': 'var(--jade)', '--mantine-color-default': 'var(--sheet)',
  };
  return { variables: {}, light: own, dark: own };
};

/** startApp signs in, loads the words and draws the app. Call it once, from apps/<name>/main.tsx. */
export async function startApp(app: App): Promise<void> {
  const place = document.getElementById('root');
  if (!place) throw new Error('the page has no #root');
  const root = createRoot(place);
  const theme = yTheme(app.size);
  const scheme = app.dark ? {} : { forceColorScheme: 'light' as const };
  openSession(app.name);
  await startWords(app.name, app.catalogues);
  try {
    await signedIn(app.name);
  } catch {
    root.render(
      <MantineProvider theme={theme} cssVariablesResolver={variables} deduplicateCssVariables={!app.leanStyles} {...scheme}>
        <main style={{ padding: 16 }}>
          <ErrorNote error={new ApiError('unavailable', 'sign-in')} onRetry={() => window.location.assign(`/${app.name}/`)} />
        </main>
      </MantineProvider>,
    );
    return;
  }
  const queries = new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 15_000,
        // A refusal does not get better by asking again; a line may.
        retry: (count, error) => count < 2 && error instanceof ApiError && ['offline', 'unavailable'].includes(error.kind),
      },
    },
  });
  root.render(
    <StrictMode>
      <MantineProvider theme={theme} defaultColorScheme="light" cssVariablesResolver={variables} deduplicateCssVariables={!app.leanStyles} {...scheme}>
        <QueryClientProvider client={queries}>
          <Toasts>
            <WhoIAm>
              <RouterProvider router={app.router} />
            </WhoIAm>
          </Toasts>
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
  if (app.offlineShell && import.meta.env.PROD && 'serviceWorker' in navigator) {
    navigator.serviceWorker.register(`/${app.name}/sw.js`, { scope: `/${app.name}/` }).catch(() => {
      // Without a worker the app works, only not without a network.
    });
  }
}
