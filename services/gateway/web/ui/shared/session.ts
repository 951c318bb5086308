import { UserManager, WebStorageStateStore, type User } from 'oidc-client-ts';

/** AppName is an app's folder, its OpenID client and its first path segment. */
export type AppName = 'patient' | 'station' | 'clinic' | 'department';

// One app runs per page; its name is the first segment of the path.
let users: UserManager | undefined;
let going: Promise<void> | undefined;

/** openSession prepares sign-in for app: authorization code with PKCE (RFC 7636) against this origin. */
export function openSession(app: AppName): void {
  const origin = window.location.origin;
  users = new UserManager({
    authority: origin,
    client_id: app,
    redirect_uri: `${origin}/${app}/callback`,
    post_logout_redirect_uri: `${origin}/${app}/`,
    response_type: 'code',
    scope: 'openid profile offline_access',
    automaticSilentRenew: true,
    monitorSession: false,
    loadUserInfo: false,
    userStore: new WebStorageStateStore({ store: window.sessionStorage, prefix: `yba.${app}.` }),
    stateStore: new WebStorageStateStore({ store: window.sessionStorage, prefix: `yba.${app}.` }),
  });
}

function manager(): UserManager {
  if (!users) throw new Error('openSession was not called');
  return users;
}

/** signedIn makes sure that somebody is signed in, or leaves for the sign-in page; then it never resolves. */
export async function signedIn(app: AppName): Promise<User> {
  const m = manager();
  if (window.location.pathname === `/${app}/callback`) {
    try {
      const user = await m.signinRedirectCallback();
      const back = typeof user.state === 'string' && user.state.startsWith(`/${app}`) ? user.state : `/${app}/`;
      window.history.replaceState(null, '', back);
      return user;
    } catch (error) {
      // A reload of the callback page, or a sign-in begun in another tab: begin again, once.
      if (sessionStorage.getItem('yba.again')) {
        sessionStorage.removeItem('yba.again');
        throw error;
      }
      sessionStorage.setItem('yba.again', '1');
      await signIn(`/${app}/`);
    }
  }
  const user = await m.getUser();
  if (user && !user.expired) {
    sessionStorage.removeItem('yba.again');
    return user;
  }
  if (user?.refresh_token) {
    try {
      const renewed = await m.signinSilent();
      if (renewed) return renewed;
    } catch {
      await m.removeUser();
    }
  }
  await signIn(window.location.pathname + window.location.search);
  return new Promise<User>(() => {});
}

/** signIn leaves for the sign-in page and comes back to path. */
export function signIn(path: string): Promise<void> {
  going ??= manager().signinRedirect({ state: path });
  return going.then(() => new Promise<void>(() => {}));
}

/** token is the bearer token of now; undefined when nobody is signed in. */
export async function token(): Promise<string | undefined> {
  const user = await users?.getUser();
  if (user?.expired && user.refresh_token) {
    try {
      return (await manager().signinSilent())?.access_token;
    } catch {
      return undefined;
    }
  }
  return user?.access_token;
}

/** signOut ends the session here and at the provider. */
export async function signOut(): Promise<void> {
  const m = manager();
  try {
    await m.signoutRedirect();
  } catch {
    // The provider has no end-session page or cannot be reached: at least forget it here.
    await m.removeUser();
    window.location.assign(m.settings.post_logout_redirect_uri ?? '/');
  }
}
