package access_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
)

const verifier = "a-verifier-of-at-least-43-characters-0123456789"

func challenge(v string) string {
	sum := sha256.Sum256([]byte(v))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// browser is a person's browser: cookies are kept, redirects followed by hand.
type browser struct {
	w    *world
	http *http.Client
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

type answer struct {
	status   int
	location string
	body     string
	header   http.Header
}

func (b *browser) do(req *http.Request) answer {
	b.w.t.Helper()
	resp, err := b.http.Do(req)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header.Get("Location"), string(body), resp.Header}
}

func (b *browser) get(path string) answer {
	b.w.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = b.w.server.URL + path
	}
	req, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodGet, path, nil)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return b.do(req)
}

func (b *browser) post(path string, form url.Values, header ...string) answer {
	b.w.t.Helper()
	req, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodPost, b.w.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return b.do(req)
}

// begin sends an app's authorization request.
func (b *browser) begin(app string, change func(url.Values)) answer {
	b.w.t.Helper()
	q := url.Values{
		"client_id": {app}, "redirect_uri": {b.w.server.URL + "/" + app + "/callback"}, "response_type": {"code"},
		"scope": {"openid profile offline_access"}, "state": {"the-state"}, "nonce": {"the-nonce"},
		"code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
	}
	if change != nil {
		change(q)
	}
	return b.get("/oauth/authorize?" + q.Encode())
}

var requestField = regexp.MustCompile(`name="request" value="([^"]+)"`)

// form follows to the sign-in page and returns the request's id.
func (b *browser) form(a answer) string {
	b.w.t.Helper()
	page := b.get(a.location)
	m := requestField.FindStringSubmatch(page.body)
	if page.status != http.StatusOK || m == nil {
		b.w.t.Fatalf("no sign-in page: %d %s", page.status, page.body)
	}
	return m[1]
}

// code follows the redirects after a sign-in and returns the app's code.
func (b *browser) code(a answer) string {
	b.w.t.Helper()
	back := b.get(a.location)
	u, err := url.Parse(back.location)
	if err != nil || u.Query().Get("code") == "" {
		b.w.t.Fatalf("no code: %d %s %s", back.status, back.location, back.body)
	}
	if u.Query().Get("state") != "the-state" {
		b.w.t.Errorf("state is %q", u.Query().Get("state"))
	}
	return u.Query().Get("code")
}

func (b *browser) signIn(app, username string) string {
	b.w.t.Helper()
	request := b.form(b.begin(app, nil))
	a := b.post("/signin", url.Values{"request": {request}, "username": {username}, "password": {password}})
	if a.status != http.StatusSeeOther {
		b.w.t.Fatalf("sign-in answered %d: %s", a.status, a.body)
	}
	return b.code(a)
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Expires int    `json:"expires_in"`
	Error   string `json:"error"`
	status  int
}

func (b *browser) token(form url.Values) tokens {
	b.w.t.Helper()
	a := b.post("/oauth/token", form)
	var t tokens
	if err := json.Unmarshal([]byte(a.body), &t); err != nil {
		b.w.t.Fatalf("token endpoint answered %d %s", a.status, a.body)
	}
	t.status = a.status
	return t
}

func (b *browser) exchange(app, code, verifier string) tokens {
	b.w.t.Helper()
	return b.token(url.Values{
		"grant_type": {"authorization_code"}, "client_id": {app}, "code": {code}, "code_verifier": {verifier},
		"redirect_uri": {b.w.server.URL + "/" + app + "/callback"},
	})
}

func (b *browser) refresh(app, token string) tokens {
	b.w.t.Helper()
	return b.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {app}, "refresh_token": {token}})
}

// me asks the API who the token's holder is; the guard forgets what it kept,
// as it does by itself after two seconds.
func (b *browser) me(token string) (status int, account map[string]any) {
	b.w.t.Helper()
	b.w.guard.Forget()
	a := b.post("/api/access/v1/Me", nil, "Content-Type", "application/json", "Authorization", "Bearer "+token)
	if err := json.Unmarshal([]byte(a.body), &account); err != nil {
		b.w.t.Fatal(err)
	}
	return a.status, account
}

func patientWorld(t *testing.T) (*world, *accessv1.Account) {
	t.Helper()
	w := newWorld(t)
	return w, w.open("hoa", []string{"patient"}, func(r *accessv1.CreateAccountRequest) { r.Patient = "p1" })
}

func TestAPersonSignsInByTheCodeFlow(t *testing.T) {
	w, a := patientWorld(t)
	b := w.browser()
	got := b.exchange("patient", b.signIn("patient", "hoa"), verifier)
	if got.status != http.StatusOK || got.Access == "" || got.Refresh == "" || got.Expires < 800 || got.Expires > 900 {
		t.Fatalf("tokens: %+v", got)
	}
	status, me := b.me(got.Access)
	if status != http.StatusOK || me["username"] != "hoa" || me["patient"] != "p1" {
		t.Fatalf("Me answered %d %v", status, me)
	}
	claims := w.idToken(got.ID)
	for name, want := range map[string]any{"iss": w.server.URL, "sub": a.GetId(), "nonce": "the-nonce", "name": a.GetName(), "azp": "patient"} {
		if claims[name] != want {
			t.Errorf("ID token has %s %v, not %v", name, claims[name], want)
		}
	}
	info := b.post("/oauth/userinfo", nil, "Authorization", "Bearer "+got.Access)
	if info.status != http.StatusOK || !strings.Contains(info.body, `"sub":"`+a.GetId()+`"`) {
		t.Errorf("userinfo: %d %s", info.status, info.body)
	}
}

// idToken verifies an ID token with the published keys.
func (w *world) idToken(token string) map[string]any {
	w.t.Helper()
	a := w.browser().get("/oauth/keys")
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(a.body), &keys); err != nil {
		w.t.Fatal(err)
	}
	jws, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		w.t.Fatal(err)
	}
	found := keys.Key(jws.Signatures[0].Header.KeyID)
	if len(found) != 1 || strings.Contains(a.body, `"d"`) {
		w.t.Fatalf("key set %s", a.body)
	}
	payload, err := jws.Verify(found[0])
	if err != nil {
		w.t.Fatal(err)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(payload, &claims); err != nil {
		w.t.Fatal(err)
	}
	return claims
}

func TestDiscoveryServesAClientAndNamesOnlyWhatIsOffered(t *testing.T) {
	w, _ := patientWorld(t)
	client, err := rp.NewRelyingPartyOIDC(t.Context(), w.server.URL, "patient", "", w.server.URL+"/patient/callback",
		[]string{oidc.ScopeOpenID}, rp.WithHTTPClient(w.server.Client()))
	if err != nil {
		t.Fatal(err)
	}
	if got := client.OAuthConfig().Endpoint.TokenURL; got != w.server.URL+"/oauth/token" {
		t.Errorf("token endpoint %s", got)
	}
	body := w.browser().get("/.well-known/openid-configuration").body
	for _, wrong := range []string{"implicit", "device", "introspect", "jwt-bearer", "id_token token"} {
		if strings.Contains(body, wrong) {
			t.Errorf("discovery offers %s: %s", wrong, body)
		}
	}
}

func TestAuthorizationRequestsWithoutS256OrFromElsewhereAreRefused(t *testing.T) {
	w, _ := patientWorld(t)
	for name, change := range map[string]func(url.Values){
		"no PKCE":            func(q url.Values) { q.Del("code_challenge"); q.Del("code_challenge_method") },
		"plain PKCE":         func(q url.Values) { q.Set("code_challenge", verifier[:43]); q.Set("code_challenge_method", "plain") },
		"foreign redirect":   func(q url.Values) { q.Set("redirect_uri", "https://evil.example/callback") },
		"another app's":      func(q url.Values) { q.Set("redirect_uri", w.server.URL+"/clinic/callback") },
		"unknown app":        func(q url.Values) { q.Set("client_id", "evil") },
		"implicit flow":      func(q url.Values) { q.Set("response_type", "id_token token") },
		"no openid scope":    func(q url.Values) { q.Set("scope", "profile") },
		"silent, no session": func(q url.Values) { q.Set("prompt", "none") },
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser()
			a := b.begin("patient", change)
			if strings.HasPrefix(a.location, "/signin") {
				a = b.get(a.location)
			}
			u, err := url.Parse(a.location)
			if err != nil {
				t.Fatal(err)
			}
			if u.Query().Get("code") != "" || u.Host == "evil.example" || a.status == http.StatusOK {
				t.Errorf("answered %d to %s", a.status, a.location)
			}
			if name == "silent, no session" && u.Query().Get("error") != "login_required" {
				t.Errorf("a silent request was answered %s", a.location)
			}
		})
	}
}

func TestACodeNeedsItsVerifierAndWorksOnce(t *testing.T) {
	w, _ := patientWorld(t)
	b := w.browser()
	for _, wrong := range []string{"", "another-verifier-of-at-least-43-characters-0123"} {
		if got := b.exchange("patient", b.signIn("patient", "hoa"), wrong); got.status != http.StatusBadRequest || got.Access != "" {
			t.Errorf("verifier %q: %+v", wrong, got)
		}
		b = w.browser()
	}
	code := b.signIn("patient", "hoa")
	if got := b.exchange("patient", code, verifier); got.Access == "" {
		t.Fatalf("right verifier: %+v", got)
	}
	if got := b.exchange("patient", code, verifier); got.status != http.StatusBadRequest || got.Access != "" {
		t.Errorf("second use: %+v", got)
	}
	b = w.browser()
	code = b.signIn("patient", "hoa")
	w.clock.advance(2 * time.Minute)
	if got := b.exchange("patient", code, verifier); got.Access != "" {
		t.Error("a code worked after two minutes")
	}
}

func TestRefreshTokensRotateAndATheftEndsTheGrant(t *testing.T) {
	w, _ := patientWorld(t)
	b := w.browser()
	first := b.exchange("patient", b.signIn("patient", "hoa"), verifier)
	second := b.refresh("patient", first.Refresh)
	if second.status != http.StatusOK || second.Refresh == "" || second.Refresh == first.Refresh {
		t.Fatalf("refresh: %+v", second)
	}
	// The answer was lost on the line: the same token works again for a moment.
	if again := b.refresh("patient", first.Refresh); again.status != http.StatusOK {
		t.Fatalf("repeated refresh: %+v", again)
	}
	if got := b.refresh("clinic", second.Refresh); got.status == http.StatusOK {
		t.Fatal("another app used the refresh token")
	}
	w.clock.advance(time.Minute)
	third := b.refresh("patient", second.Refresh)
	if third.status != http.StatusOK {
		t.Fatalf("refresh after a minute: %+v", third)
	}
	if stolen := b.refresh("patient", first.Refresh); stolen.status == http.StatusOK {
		t.Fatal("an old refresh token was honoured")
	}
	if got := b.refresh("patient", third.Refresh); got.status == http.StatusOK {
		t.Error("the grant outlived a theft")
	}
	if status, _ := b.me(third.Access); status != http.StatusUnauthorized {
		t.Errorf("the access token outlived a theft: %d", status)
	}
}

func TestAnAccessTokenExpiresAndCannotBeAltered(t *testing.T) {
	w, _ := patientWorld(t)
	b := w.browser()
	got := b.exchange("patient", b.signIn("patient", "hoa"), verifier)
	altered := []byte(got.Access)
	altered[len(altered)/2] ^= 1
	if status, _ := b.me(string(altered)); status != http.StatusUnauthorized {
		t.Errorf("an altered token was answered %d", status)
	}
	w.clock.advance(16 * time.Minute)
	if status, _ := b.me(got.Access); status != http.StatusUnauthorized {
		t.Errorf("after 16 minutes the token was answered %d", status)
	}
	if next := b.refresh("patient", got.Refresh); next.status != http.StatusOK {
		t.Errorf("refresh after expiry: %+v", next)
	}
}

func TestASecondAppNeedsNoPasswordWhileTheBrowserHasASession(t *testing.T) {
	w := newWorld(t)
	w.open("doctor", []string{"doctor"}, nil)
	b := w.browser()
	b.signIn("clinic", "doctor")
	silent := b.get(b.begin("station", func(q url.Values) { q.Set("prompt", "none") }).location)
	if got := b.exchange("station", b.code(silent), verifier); got.Access == "" {
		t.Fatalf("silent sign-in: %+v", got)
	}
	// An app may still ask for the password.
	b.form(b.begin("station", func(q url.Values) { q.Set("prompt", "login") }))
	w.clock.advance(13 * time.Hour)
	b.form(b.begin("station", nil))
}

func TestADisabledAccountLosesItsTokensAndCannotSignIn(t *testing.T) {
	w, a := patientWorld(t)
	admin := w.open("admin", []string{"administrator"}, nil)
	b := w.browser()
	got := b.exchange("patient", b.signIn("patient", "hoa"), verifier)
	if _, err := w.client.DisableAccount(w.as(admin), &accessv1.DisableAccountRequest{Account: a.GetId()}); err != nil {
		t.Fatal(err)
	}
	if status, _ := b.me(got.Access); status != http.StatusUnauthorized {
		t.Errorf("the token still works: %d", status)
	}
	if next := b.refresh("patient", got.Refresh); next.status == http.StatusOK {
		t.Error("the refresh token still works")
	}
	request := b.form(b.begin("patient", nil))
	answer := b.post("/signin", url.Values{"request": {request}, "username": {"hoa"}, "password": {password}})
	if answer.status != http.StatusUnauthorized {
		t.Errorf("sign-in answered %d", answer.status)
	}
}

func TestSigningOutOfOneAppEndsTheSessionForAll(t *testing.T) {
	w := newWorld(t)
	w.open("doctor", []string{"doctor"}, nil)
	b := w.browser()
	clinic := b.exchange("clinic", b.signIn("clinic", "doctor"), verifier)
	station := b.exchange("station", b.code(b.get(b.begin("station", nil).location)), verifier)
	out := b.get("/oauth/end_session?" + url.Values{
		"id_token_hint": {clinic.ID}, "post_logout_redirect_uri": {w.server.URL + "/clinic/"},
	}.Encode())
	if out.status != http.StatusFound || out.location != w.server.URL+"/clinic/" {
		t.Fatalf("sign-out: %d to %s %s", out.status, out.location, out.body)
	}
	for name, token := range map[string]string{"clinic": clinic.Access, "station": station.Access} {
		if status, _ := b.me(token); status != http.StatusUnauthorized {
			t.Errorf("the token of %s was answered %d", name, status)
		}
	}
	b.form(b.begin("clinic", nil))
}

func TestALinkAloneSignsNobodyOut(t *testing.T) {
	w, _ := patientWorld(t)
	b := w.browser()
	got := b.exchange("patient", b.signIn("patient", "hoa"), verifier)
	page := b.get(b.get("/oauth/end_session").location)
	if page.status != http.StatusOK || !strings.Contains(page.body, `action="/signin/out"`) {
		t.Fatalf("no question: %d %s", page.status, page.body)
	}
	if status, _ := b.me(got.Access); status != http.StatusOK {
		t.Fatalf("the link ended the session: %d", status)
	}
	if a := b.post("/signin/out", nil); a.status != http.StatusSeeOther {
		t.Fatalf("sign-out: %d", a.status)
	}
	if status, _ := b.me(got.Access); status != http.StatusUnauthorized {
		t.Errorf("after the sign-out the token was answered %d", status)
	}
}

func TestARevokedTokenEndsTheGrantOfItsAppOnly(t *testing.T) {
	w, _ := patientWorld(t)
	b := w.browser()
	first := b.exchange("patient", b.signIn("patient", "hoa"), verifier)
	second := b.exchange("patient", b.code(b.get(b.begin("patient", nil).location)), verifier)
	if a := b.post("/oauth/revoke", url.Values{"client_id": {"clinic"}, "token": {first.Refresh}}); a.status == http.StatusOK {
		t.Error("another app revoked the token")
	}
	if a := b.post("/oauth/revoke", url.Values{"client_id": {"patient"}, "token": {first.Refresh}}); a.status != http.StatusOK {
		t.Fatalf("revocation: %d %s", a.status, a.body)
	}
	if a := b.post("/oauth/revoke", url.Values{"client_id": {"patient"}, "token": {"unknown"}}); a.status != http.StatusOK {
		t.Errorf("an unknown token: %d %s", a.status, a.body)
	}
	if status, _ := b.me(first.Access); status != http.StatusUnauthorized {
		t.Errorf("the revoked grant was answered %d", status)
	}
	if status, _ := b.me(second.Access); status != http.StatusOK {
		t.Errorf("the other grant was answered %d", status)
	}
	if a := b.post("/oauth/revoke", url.Values{"client_id": {"patient"}, "token": {second.Access}, "token_type_hint": {"access_token"}}); a.status != http.StatusOK {
		t.Fatalf("revocation by access token: %d %s", a.status, a.body)
	}
	if status, _ := b.me(second.Access); status != http.StatusUnauthorized {
		t.Errorf("the revoked access token was answered %d", status)
	}
}

func TestARequestsCodeGoesOnlyToTheBrowserThatSignedIn(t *testing.T) {
	w, _ := patientWorld(t)
	thief, hoa := w.browser(), w.browser()
	// The thief begins a request with a verifier of his own and leads Hoa to its page.
	begun := thief.begin("patient", nil)
	in := hoa.post("/signin", url.Values{"request": {hoa.form(begun)}, "username": {"hoa"}, "password": {password}})
	if in.status != http.StatusSeeOther {
		t.Fatalf("sign-in answered %d", in.status)
	}
	if got := thief.get(in.location); strings.Contains(got.location, "code=") {
		t.Errorf("a stranger's browser got Hoa's code: %s", got.location)
	}
	if got := hoa.get(in.location); !strings.Contains(got.location, "code=") {
		t.Errorf("Hoa's own browser got no code: %d %s", got.status, got.location)
	}
}
