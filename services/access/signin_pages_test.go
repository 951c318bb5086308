package access_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
)

func TestUnknownNamesAndWrongPasswordsLookTheSame(t *testing.T) {
	w, _ := patientWorld(t)
	w.open("newcomer", []string{"guardian"}, func(r *accessv1.CreateAccountRequest) { r.Password = "" })
	b := w.browser()
	request := b.form(b.begin("patient", nil))
	strip := func(body, username string) string { return strings.ReplaceAll(body, username, "") }
	var first string
	for _, c := range [][2]string{{"hoa", "wrong password"}, {"nobody", password}, {"newcomer", password}} {
		a := b.post("/signin", url.Values{"request": {request}, "username": {c[0]}, "password": {c[1]}})
		if a.status != http.StatusUnauthorized {
			t.Fatalf("%s: %d", c[0], a.status)
		}
		if first == "" {
			first = strip(a.body, c[0])
		} else if strip(a.body, c[0]) != first {
			t.Errorf("%s is answered with another page", c[0])
		}
		if strings.Contains(a.body, c[1]) {
			t.Error("the page repeats the password")
		}
	}
}

func TestGuessingIsSlowedDownAndForgivenAfterTheWait(t *testing.T) {
	w, _ := patientWorld(t)
	b := w.browser()
	request := b.form(b.begin("patient", nil))
	try := func(p string) answer {
		return b.post("/signin", url.Values{"request": {request}, "username": {"hoa"}, "password": {p}})
	}
	for i := range 5 {
		if a := try("wrong"); a.status != http.StatusUnauthorized {
			t.Fatalf("try %d: %d", i, a.status)
		}
	}
	if a := try(password); a.status != http.StatusTooManyRequests || !strings.Contains(a.body, "giây") {
		t.Fatalf("the right password in between: %d %s", a.status, a.body)
	}
	w.clock.advance(3 * time.Second)
	if a := try(password); a.status != http.StatusSeeOther {
		t.Fatalf("after the wait: %d", a.status)
	}
}

func TestOneAddressMaySignInManyPeople(t *testing.T) {
	w, _ := patientWorld(t)
	for range 12 {
		w.browser().signIn("patient", "hoa")
	}
}

func TestAnActivationCodeSetsAPasswordOnce(t *testing.T) {
	w := newWorld(t)
	stations := newAccount(t, w, "levanbe")
	b := w.browser()
	request := b.form(b.begin("patient", nil))
	activate := func(code, p, again string) answer {
		return b.post("/signin/activate", url.Values{"request": {request}, "username": {"levanbe"}, "code": {code}, "password": {p}, "again": {again}})
	}
	if page := b.get("/signin/activate?request=" + request); page.status != http.StatusOK || !strings.Contains(page.body, "Mã kích hoạt") {
		t.Fatalf("page: %d", page.status)
	}
	for name, a := range map[string]answer{
		"wrong code":     activate("AAAAAAAA", password, password),
		"not the same":   activate(stations, password, password+"!"),
		"short password": activate(stations, "ngắn", "ngắn"),
		"often used":     activate(stations, "matkhau123", "matkhau123"),
	} {
		if a.status == http.StatusSeeOther || !strings.Contains(a.body, `role="alert"`) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	// As a person types it from paper.
	typed := strings.ToLower(stations[:4]) + " " + stations[4:]
	if a := activate(typed, password, password); a.status != http.StatusSeeOther {
		t.Fatalf("right code: %d %s", a.status, a.body)
	}
	if got := b.exchange("patient", b.code(b.get("/signin?request="+request)), verifier); got.Access == "" {
		t.Errorf("tokens: %+v", got)
	}
	b = w.browser()
	request = b.form(b.begin("patient", nil))
	if a := activate(stations, password, password); a.status != http.StatusUnauthorized {
		t.Errorf("the code worked twice: %d", a.status)
	}
	w.browser().signIn("patient", "levanbe")
}

// newAccount opens a patient's account as the station does, and returns its code.
func newAccount(t *testing.T, w *world, username string) string {
	t.Helper()
	_, code, err := openWithCode(t, w, username)
	if err != nil {
		t.Fatal(err)
	}
	if len(code) != 8 {
		t.Fatalf("code %q", code)
	}
	return code
}

func TestAnActivationCodeEndsAfterAWeek(t *testing.T) {
	w := newWorld(t)
	code := newAccount(t, w, "levanbe")
	w.clock.advance(7*24*time.Hour + time.Minute)
	b := w.browser()
	request := b.form(b.begin("patient", nil))
	a := b.post("/signin/activate", url.Values{"request": {request}, "username": {"levanbe"}, "code": {code}, "password": {password}, "again": {password}})
	if a.status != http.StatusUnauthorized {
		t.Errorf("an old code was answered %d", a.status)
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	w, _ := patientWorld(t)
	b := w.browser()
	request := b.form(b.begin("patient", nil))
	form := url.Values{"request": {request}, "username": {"hoa"}, "password": {password}}
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		if a := b.post("/signin", form, header...); a.status != http.StatusForbidden {
			t.Errorf("%v: %d", header, a.status)
		}
	}
}

func TestPagesSpeakTwoLanguagesAndAllowNoScript(t *testing.T) {
	w, _ := patientWorld(t)
	b := w.browser()
	begun := b.begin("patient", func(q url.Values) { q.Set("login_hint", `"><script>alert(1)</script>`) })
	vi := b.get(begun.location)
	en := b.get(begun.location + "&lang=en")
	if !strings.Contains(vi.body, "Đăng nhập") || !strings.Contains(vi.body, `<html lang="vi">`) {
		t.Error("the page is not in Vietnamese")
	}
	if !strings.Contains(en.body, "Sign in") || strings.Contains(en.body, "Đăng nhập") {
		t.Error("the page is not in English")
	}
	if strings.Contains(vi.body, "<script") || strings.Contains(vi.body, "style=") {
		t.Error("the page has script or inline style")
	}
	for name, want := range map[string]string{"Content-Security-Policy": "default-src 'none'", "X-Frame-Options": "DENY", "Cache-Control": "no-store"} {
		if !strings.Contains(vi.header.Get(name), want) {
			t.Errorf("%s is %q", name, vi.header.Get(name))
		}
	}
	if css := b.get("/signin/style.css"); css.status != http.StatusOK || !strings.Contains(css.body, "#0B6E5B") {
		t.Errorf("style sheet: %d", css.status)
	}
	if lost := b.get("/signin?request=unknown"); lost.status != http.StatusNotFound || !strings.Contains(lost.body, "hết hạn") {
		t.Errorf("unknown request: %d %s", lost.status, lost.body)
	}
}

func TestSessionCookiesAreOutOfReachOfScripts(t *testing.T) {
	w, _ := patientWorld(t)
	b := w.browser()
	request := b.form(b.begin("patient", nil))
	a := b.post("/signin", url.Values{"request": {request}, "username": {"hoa"}, "password": {password}})
	c := a.header.Get("Set-Cookie")
	if !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Lax") || !strings.Contains(c, "Path=/") {
		t.Errorf("cookie %q", c)
	}
}
